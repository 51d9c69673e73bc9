package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/schema"
)

func (p *Program) typesCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "types [TYPE]",
		Short: "List the task types, or describe one",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("types takes one type at most, it has %d", len(args))
			}
			return nil
		},
		ValidArgsFunction: p.completeType,
		RunE: func(c *cobra.Command, args []string) error {
			infos, err := p.typeInfos(args)
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				return printJSON(c.OutOrStdout(), schema.TypesResult{Types: infos})
			case len(args) == 1:
				return printType(c.OutOrStdout(), infos[0])
			}
			return printTypes(c.OutOrStdout(), infos)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the schemas")
	return c
}

// completeType completes the first argument with the names of task types.
func (p *Program) completeType(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.typeNames(), cobra.ShellCompDirectiveNoFileComp
}

// typeInfos are all types, or the one named.
func (p *Program) typeInfos(named []string) ([]schema.TypeInfo, error) {
	types, err := p.taskTypes(exec.Options{})
	if err != nil {
		return nil, err
	}
	var infos []schema.TypeInfo
	var names []string
	for _, t := range types {
		info := t.Info()
		all := allNames(info)
		if len(named) == 0 || slices.Contains(all, named[0]) {
			infos = append(infos, info)
		}
		names = append(names, all...)
	}
	if len(infos) == 0 {
		return nil, usagef("no task type is named %q; %s", named[0], didYouMean(named[0], names, p.Name+" types lists them"))
	}
	slices.SortFunc(infos, func(a, b schema.TypeInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

func printTypes(w io.Writer, infos []schema.TypeInfo) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tALIASES\tINPUT\tDESCRIPTION")
	for _, info := range infos {
		members, err := inputMembers(info)
		if err != nil {
			return err
		}
		words := make([]string, len(members))
		for i, m := range members {
			words[i] = m.word()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", info.Name, dash(info.Aliases), dash(words), info.Description)
	}
	return table.Flush()
}

func dash(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, " ")
}

// printType describes one type, a member of its input in a line.
func printType(w io.Writer, info schema.TypeInfo) error {
	members, err := inputMembers(info)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s: %s\n", info.Name, info.Description)
	if len(info.Aliases) > 0 {
		fmt.Fprintf(table, "Also known as %s.\n", strings.Join(info.Aliases, ", "))
	}
	if info.Idempotent {
		fmt.Fprintln(table, "It runs again where the server died while it ran, unless the submit says otherwise.")
	}
	if len(members) == 0 {
		fmt.Fprintln(table, "It takes no input.")
	} else {
		fmt.Fprintln(table, "Its input, what is in brackets being optional:")
	}
	for _, m := range members {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", m.word(), m.kind, m.description)
	}
	return table.Flush()
}

// inputMember is one member of a type's input.
type inputMember struct {
	name, kind, description string
	required                bool
}

// word is the name as manuals write it, an optional one in brackets.
func (m inputMember) word() string {
	if m.required {
		return m.name
	}
	return "[" + m.name + "]"
}

func inputMembers(info schema.TypeInfo) ([]inputMember, error) {
	var s schema.JSONSchema
	if err := json.Unmarshal(info.InputSchema, &s); err != nil {
		return nil, fmt.Errorf("the input schema of %s: %w", info.Name, err)
	}
	names := slices.Sorted(maps.Keys(s.Properties))
	slices.SortStableFunc(names, func(a, b string) int { // the required ones first
		return strings.Compare(optional(&s, a), optional(&s, b))
	})
	members := make([]inputMember, len(names))
	for i, name := range names {
		p := s.Properties[name]
		kind := p.Type
		if kind == "" {
			kind = strings.Join(p.Types, " or ")
		}
		members[i] = inputMember{name, kind, p.Description, slices.Contains(s.Required, name)}
	}
	return members, nil
}

func optional(s *schema.JSONSchema, name string) string {
	if slices.Contains(s.Required, name) {
		return ""
	}
	return "optional"
}

package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/socket"
	"github.com/jobline/jobline/schema"
)

// typesOptions are the flags of types.
type typesOptions struct {
	driver
	complete string
}

func (p *Program) typesCommand() *cobra.Command {
	o := &typesOptions{driver: p.readingDriver()}
	c := &cobra.Command{
		Use:   "types [TYPE]",
		Short: "List the task types, or describe one",
		Long: "Types shows the task types of the server, where one runs that commands share; else those of this program.\n" +
			"It starts no server.",
		Example: p.driverExamples("types", "types "+p.sampleType(), "types --json"),
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("types takes one type at most, it has %d", len(args))
			}
			return nil
		},
		ValidArgsFunction: p.completeType,
		RunE: func(c *cobra.Command, args []string) error {
			all, err := o.offered(c)
			if err != nil {
				return err
			}
			if c.Flags().Changed("complete") {
				return printWords(c.OutOrStdout(), completeTyped(all, o.complete))
			}
			infos, err := p.pick(all, args)
			if err != nil {
				return err
			}
			switch {
			case o.json:
				return printJSON(c.OutOrStdout(), schema.TypesResult{Types: infos})
			case len(args) == 1:
				return printType(c.OutOrStdout(), infos[0])
			}
			return printTypes(c.OutOrStdout(), infos)
		},
	}
	o.target.flags(c)
	c.Flags().BoolVar(&o.json, "json", false, "print JSON, with the schemas")
	c.Flags().StringVar(&o.complete, "complete", "", "print what the last word of TYPE KEY=VALUE… may be, for a program that completes it")
	complete(c, "complete", cobra.NoFileCompletions)
	return c
}

// offered are the types of the server that commands share, where one runs, or else of
// this program.
func (o *typesOptions) offered(c *cobra.Command) (infos []schema.TypeInfo, err error) {
	if o.target.local {
		return o.program.ownTypes()
	}
	required := o.target.noStart // by a person, who wants those of a server
	o.target.noStart = true
	err = o.with(c, func(ctx context.Context, c *client.Client) error {
		types, err := c.Types(ctx)
		infos = types.Types
		return err
	})
	if !required && (errors.Is(err, socket.ErrNobodyListens) || errors.Is(err, errors.ErrUnsupported)) {
		return o.program.ownTypes()
	}
	return infos, err
}

// completeType completes the first argument with the names of task types.
func (p *Program) completeType(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.typeNames(), cobra.ShellCompDirectiveNoFileComp
}

// typeInfos are all types of this program, or the one named.
func (p *Program) typeInfos(named []string) ([]schema.TypeInfo, error) {
	infos, err := p.ownTypes()
	if err != nil {
		return nil, err
	}
	return p.pick(infos, named)
}

// ownTypes are the types of this program, sorted by name.
func (p *Program) ownTypes() ([]schema.TypeInfo, error) {
	types, err := p.taskTypes(exec.Options{})
	if err != nil {
		return nil, err
	}
	infos := make([]schema.TypeInfo, len(types))
	for i, t := range types {
		infos[i] = t.Info()
	}
	slices.SortFunc(infos, func(a, b schema.TypeInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// pick answers all types, or the one named.
func (p *Program) pick(all []schema.TypeInfo, named []string) ([]schema.TypeInfo, error) {
	if len(named) == 0 {
		return all, nil
	}
	var names []string
	for i := range all {
		known := allNames(all[i])
		if slices.Contains(known, named[0]) {
			return all[i : i+1], nil
		}
		names = append(names, known...)
	}
	return nil, usagef("no task type is named %q; %s", named[0], didYouMean(named[0], names, p.Name+" types lists them"))
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

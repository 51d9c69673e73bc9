package cmd

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// completeArgs completes the task type, and after -- a command line: a program
// of PATH or a file, and then files.
func (t *taskFlags) completeArgs(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	// Cobra adds a -- of its own when it completes.
	if before := t.program.args; !slices.Contains(before[:max(0, len(before)-1)], "--") {
		return t.program.completeType(c, args, word)
	}
	switch {
	case len(args) == c.ArgsLenAtDash() && !strings.Contains(word, "/"):
		return programs(word), cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveDefault
}

// programs are the names of programs in PATH that begin with prefix.
func programs(prefix string) []string {
	var names []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // such a directory has no programs for a shell either
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), prefix) {
				continue
			}
			if info, err := os.Stat(dir + string(filepath.Separator) + e.Name()); err == nil && runs(info) {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// completeSet completes KEY=VALUE by the input schema of the task type.
func (t *taskFlags) completeSet(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeMember(t.program.inputSchemaOf(args[0]), word)
}

// completeMember completes KEY=VALUE of an input by its schema.
func completeMember(root *inputSchema, word string) ([]string, cobra.ShellCompDirective) {
	key, value, hasValue := strings.Cut(word, "=")
	path := strings.Split(key, ".")
	if hasValue {
		return completeValue(memberOf(root, path), key+"=", value)
	}
	parent := memberOf(root, path[:len(path)-1])
	if parent == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(parent.Properties)) {
		if !strings.HasPrefix(name, path[len(path)-1]) {
			continue
		}
		member := resolve(root, parent.Properties[name])
		end := "="
		if slices.Contains(kindsOf(member), "object") {
			end = "."
		}
		full := strings.Join(append(slices.Clone(path[:len(path)-1]), name), ".") + end
		if member != nil && member.Description != "" {
			full += "\t" + member.Description
		}
		found = append(found, full)
	}
	return found, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// completeValue completes the value of a member: what it may be, or a file.
func completeValue(member *inputSchema, before, value string) ([]string, cobra.ShellCompDirective) {
	var found []string
	switch kinds := kindsOf(member); {
	case member == nil:
	case len(member.Enum) > 0:
		for _, v := range member.Enum {
			if text, ok := v.(string); ok && strings.HasPrefix(text, value) {
				found = append(found, before+text)
			}
		}
	case slices.Contains(kinds, "boolean"):
		for _, text := range []string{"true", "false"} {
			if strings.HasPrefix(text, value) {
				found = append(found, before+text)
			}
		}
	case slices.Contains(kinds, "string"):
		return completePath(before, value)
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeAtFile completes @FILE and -.
func completeAtFile(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	if name, ok := strings.CutPrefix(word, "@"); ok {
		return completePath("@", name)
	}
	return []string{"@\ta file", "-\tstdin"}, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// completePath completes a path behind a text that is no part of it.
func completePath(before, path string) ([]string, cobra.ShellCompDirective) {
	dir, prefix := filepath.Split(path)
	entries, err := os.ReadDir(cmp.Or(dir, "."))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	var found []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, prefix) || prefix == "" && strings.HasPrefix(name, ".") {
			continue
		}
		if info, err := os.Stat(dir + name); err == nil && info.IsDir() { // Join would take ".." behind a link in the text
			name += "/"
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		found = append(found, before+dir+name)
	}
	return found, directive
}

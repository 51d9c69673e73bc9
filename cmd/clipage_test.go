package cmd

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// TestCommandLinePage holds docs/cli.md against the commands.
func TestCommandLinePage(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("some flags are of Unix alone")
	}
	p := Program{Name: "jobline"}
	root := p.newRoot(io.Discard)
	var b strings.Builder
	b.WriteString("# The command line\n\n" +
		"This page is made from the program's own help by a test. Exit codes are in [operations.md](operations.md#exit-codes), and how\n" +
		"the server that commands share is found and started in [daemon.md](daemon.md).\n\n" +
		"| command | |\n|---|---|\n")
	for _, c := range shownCommands(root) {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", c.CommandPath(), strings.ReplaceAll(c.CommandPath(), " ", "-"), c.Short)
	}
	for _, c := range shownCommands(root) {
		writeCommand(&b, c)
	}
	const file = "../docs/cli.md"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	require.Equal(t, readText(t, file), b.String(), "go test ./cmd -run CommandLinePage -update writes it anew")
}

// shownCommands are the commands that help lists, each before those within it.
func shownCommands(of *cobra.Command) (found []*cobra.Command) {
	for _, c := range of.Commands() {
		if !c.Hidden && c.Name() != "help" {
			found = append(append(found, c), shownCommands(c)...)
		}
	}
	return found
}

// writeCommand describes one command.
func writeCommand(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n", c.CommandPath())
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	writeText(b, text)
	if !c.HasSubCommands() {
		fmt.Fprintf(b, "\n```\n%s\n```\n", c.UseLine())
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\nExamples:\n\n```\n%s\n```\n", withoutIndent(c.Example))
	}
	flags := c.LocalFlags()
	flags.VisitAll(func(f *pflag.Flag) { // what differs between machines
		if f.Name == "help" {
			f.Hidden = true
		}
		if f.DefValue == strconv.Itoa(runtime.NumCPU()) && f.Name == "limit" {
			f.DefValue = "the number of CPUs"
		}
		if f.NoOptDefVal == os.TempDir() {
			f.NoOptDefVal = "the system's temporary directory"
		}
	})
	if flags.HasAvailableFlags() {
		fmt.Fprintf(b, "\n```\n%s```\n", flags.FlagUsages())
	}
}

// writeText writes paragraphs. What is indented in help is a block here.
func writeText(b *strings.Builder, text string) {
	inBlock := false
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		indented := strings.HasPrefix(line, "  ") || inBlock && strings.HasPrefix(line, "\t")
		if indented != inBlock {
			fence := "```\n"
			if indented {
				fence = "\n```\n"
			}
			b.WriteString(fence)
			inBlock = indented
		}
		if !inBlock && !strings.HasPrefix(line, "\t") { // with a tab it is code
			line = strings.NewReplacer("<", "\\<", "*", "\\*").Replace(line)
		}
		b.WriteString(line)
	}
	if inBlock {
		b.WriteString("```\n")
	}
}

func withoutIndent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimPrefix(line, "  "))
	}
	return strings.TrimRight(b.String(), "\n")
}

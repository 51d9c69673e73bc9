package exec

import (
	"slices"
	"strings"
)

// shellSigns are characters that are rare in names of programs and common in
// command lines for a shell.
const shellSigns = " \t\n|&;<>()$`\"'*?"

// shellWords are the commands that shells have in themselves, and that are no programs on
// most systems.
var shellWords = []string{
	".", ":", "[[", "alias", "bg", "break", "builtin", "case", "cd", "command", "complete", "continue", "declare", "dirs", "disown", "eval", "exec",
	"exit", "export", "fc", "fg", "for", "function", "getopts", "hash", "help", "history", "if", "jobs", "let", "local", "popd", "pushd", "read",
	"readonly", "return", "select", "set", "setopt", "shift", "shopt", "source", "suspend", "time", "times", "trap", "type", "typeset",
	"ulimit", "umask", "unalias", "unset", "until", "wait", "while", "{",
}

// shellHint returns advice for a program that is not there, and whose name or arguments
// look as if they were meant for a shell; "" for any other. It shows no argument but the
// first: others may be secrets.
func (p *command) shellHint() string {
	const line = "give a command line to a shell: sh -c '…'"
	word := p.argv[0]
	name, _, assigns := strings.Cut(word, "=")
	switch {
	case strings.ContainsAny(word, shellSigns):
		return "; that is one word with all of its signs: give each word apart, or " + line
	case assigns && isVariable(name):
		return "; a shell takes that for a variable: write env before it, or " + line
	case word == "cd":
		return "; that is a word of a shell: give the directory as dir (in a terminal --set dir=…), or " + line
	case slices.Contains(shellWords, word):
		return "; that is a word of a shell: " + line
	case slices.ContainsFunc(p.argv[1:], isShellSign):
		return "; its arguments have signs of a shell: " + line
	}
	return ""
}

// isShellSign reports whether an argument joins commands in a shell, or says where their
// output goes.
func isShellSign(arg string) bool {
	return slices.Contains([]string{"|", "&&", "||", ">", ">>", "<"}, arg)
}

// isVariable reports whether a text can be the name of a variable of a shell.
func isVariable(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	return name != "" && strings.Trim(name, letters+"0123456789") == "" && strings.ContainsAny(name[:1], letters)
}

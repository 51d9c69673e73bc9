package cmd

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/mod/semver"

	"github.com/jobline/jobline/rpc/client"
)

// This file is for servers of older versions than the program: a server that runs is not replaced
// by a new file of the program.

// olderServer says what to do where the server is of an older version, or "".
func (p *Program) olderServer(server string) string {
	ours := p.build().Version
	if semver.Compare(canonical(ours), canonical(server)) <= 0 || !semver.IsValid(canonical(server)) {
		return ""
	}
	return fmt.Sprintf("the server that runs is of version %s, and this program of %s; %s shutdown ends it, and the next command starts the new one", server, ours, p.Name)
}

// canonical is a version as semver wants it.
func canonical(version string) string { return "v" + strings.TrimPrefix(version, "v") }

// isOlder reports whether a server has refused a call because it knows less than this program.
func isOlder(err error) bool {
	_, ok := errors.AsType[*client.OlderServerError](err)
	return ok
}

// olderText says what an older server does not know, and how to come to a newer one.
func (p *Program) olderText(e *client.OlderServerError) string {
	what := fmt.Sprintf("%q", e.Method)
	for i, pointer := range e.Members {
		if i == 0 {
			what = flagOfMember(pointer)
		} else {
			what += ", " + flagOfMember(pointer)
		}
	}
	return fmt.Sprintf("the server that runs is older than this program, and does not know %s; %s shutdown ends it when the tasks that run have ended, "+
		"and the next command starts the new one, which goes on with the tasks in its store", what, p.Name)
}

// flagOfMember is the flag that sets a member of params. It has the name of the member, where it
// is not one of a submit.
func flagOfMember(pointer string) string {
	if flag := placeOf(pointer, true); flag != pointer {
		return flag
	}
	var b strings.Builder
	for _, r := range strings.TrimPrefix(pointer, "/") {
		if unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return "--" + b.String()
}

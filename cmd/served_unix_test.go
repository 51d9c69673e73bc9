//go:build unix

package cmd

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnOwnStoreAndASharedServer runs the commands of the page about that.
func TestAnOwnStoreAndASharedServer(t *testing.T) {
	_, page, _ := strings.Cut(readText(t, "../docs/daemon.md"), "## An own store and a shared server")
	_, page, _ = strings.Cut(page, "```sh\n")
	commands, _, found := strings.Cut(page, "```\n")
	require.True(t, found)
	home := daemonHome(t)
	c := exec.Command("sh", "-e", "-c", commands+"wait")
	c.Dir = socketDirOf(t)
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Regexp(t, `^[0-9a-f-]{36}\nhello\nthe server \(process \d+\) has ended`, string(out))
	require.NoFileExists(t, home.Store)
}

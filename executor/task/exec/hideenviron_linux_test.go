package exec

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// runSpies has commands read the environment of this process, in which there
// is a secret, without EnvAllow, with it and with HideEnviron.
func runSpies([]string) {
	becomeOtherUser()
	for _, o := range []Options{{}, {EnvAllow: []string{"PATH"}}, {HideEnviron: true}} {
		must(0, unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)) // as a program that this user has started
		c := must(New(o))
		var out screen
		_, err := c.run(context.Background(), &Input{
			Argv: []string{"sh", "-c", `env | grep -c ^SECRET; cat "/proc/$PPID/environ" | tr '\0' '\n' | grep ^SECRET || echo hidden; cat /proc/self/environ >/dev/null`},
			Dir:  "/",
		}, task{id: "a", stdout: &out, stderr: &out, started: func(int) {}})
		fmt.Println(out.String(), err)
		must(0, c.Close())
	}
}

// TestHiddenEnviron: what commands are not to inherit they cannot read from the
// server either.
func TestHiddenEnviron(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	in := self("spies")
	in.Env["SECRET"], in.Dir = new("canary"), "/"
	a := run(t, newCommand(t, Options{}), in)
	require.NoError(t, a.err, "%s", a.stderr.String())
	const denied, hidden = ".*/environ: Permission denied\n", "hidden\n" // of two pipes, in any order
	require.Regexp(t, "^1\nSECRET=canary\n <nil>\n0\n("+denied+hidden+"|"+hidden+denied+") <nil>\n1\n("+denied+hidden+"|"+hidden+denied+") <nil>\n$", a.stdout.String())
}

package exec

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

func TestCompletes(t *testing.T) {
	c := newCommand(t, Options{})
	a := run(t, c, self("print", "100000"))
	require.NoError(t, a.err)
	require.Zero(t, a.result.ExitCode)
	require.Equal(t, []int{a.result.PID}, a.pids)
	require.Equal(t, must(os.Executable()), a.result.Executable)
	require.False(t, a.result.Leaked)
	require.Len(t, a.stdout.String(), 100000)
	require.Equal(t, a.stdout.String(), a.stderr.String())
}

func TestStdin(t *testing.T) {
	c := newCommand(t, Options{})
	for name, text := range map[string]string{
		"none": "", "short": "a text", "more than a pipe takes": strings.Repeat("0123456789", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			in := self("read-stdin")
			in.Stdin = text
			a := run(t, c, in)
			require.NoError(t, a.err)
			require.True(t, a.stdout.String() == text, "%d bytes", len(a.stdout.String()))
		})
	}
	t.Run("not read", func(t *testing.T) {
		in := self("exit", "0")
		in.Stdin = strings.Repeat("x", 1<<20)
		require.NoError(t, run(t, c, in).err)
	})
}

func TestFails(t *testing.T) {
	c := newCommand(t, Options{})
	name := filepath.Base(must(os.Executable()))
	t.Run("exit code", func(t *testing.T) {
		f := run(t, c, self("exit", "3")).failure(t)
		require.Equal(t, schema.TaskError{
			Kind: schema.KindExit, Message: name + " exited with code 3", ExitCode: new(3),
		}, f)
	})
	t.Run("signal", func(t *testing.T) {
		f := run(t, c, Input{Argv: []string{"sh", "-c", "echo oh >&2; kill -s SEGV $$"}}).failure(t)
		require.Equal(t, schema.TaskError{
			Kind: schema.KindSignal, Message: "sh was ended by SIGSEGV", Signal: "SIGSEGV", StderrTail: "oh\n",
		}, f)
	})
	t.Run("context over before", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errStop)
		_, err := c.Run(ctx, self("exit", "0"))
		require.ErrorIs(t, err, errStop)
	})
}

func TestRunOutsideATask(t *testing.T) {
	result, err := newCommand(t, Options{}).Run(t.Context(), Input{Argv: []string{"true"}})
	require.NoError(t, err)
	require.NotZero(t, result.PID)
}

func TestClosed(t *testing.T) {
	c, err := New(Options{})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	_, err = c.Run(t.Context(), Input{Argv: []string{"true"}})
	require.ErrorIs(t, err, ErrClosed)
}

func TestPatternsAreChecked(t *testing.T) {
	for _, pattern := range []string{"", "[a"} {
		_, err := Type(Options{EnvAllow: []string{pattern}})
		require.ErrorContains(t, err, "pattern")
	}
}

func TestDirectory(t *testing.T) {
	c := newCommand(t, Options{})
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	in := self("pwd")
	in.Dir = dir
	a := run(t, c, in)
	require.NoError(t, a.err)
	require.Equal(t, dir+"\n", a.stdout.String())
	in = self("env")
	in.Dir = dir
	require.Contains(t, run(t, c, in).stdout.String(), "\nPWD="+dir+"\n")
}

// TestSecretsAreNotTold: arguments, values and stdin are in no log and error;
// of a command that could not be started the error has its path.
func TestSecretsAreNotTold(t *testing.T) {
	const canary = "canary-5d41402a"
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := newCommand(t, Options{Logger: logger})
	secret := func(in Input) Input {
		in.Argv = append(in.Argv, canary)
		in.Stdin = canary
		if in.Env == nil {
			in.Env = map[string]*string{}
		}
		in.Env["TOKEN"] = new(canary)
		return in
	}
	inputs := map[string]Input{
		"completes":  self("exit", "0"),
		"exits":      self("exit", "1"),
		"is missing": {Argv: []string{"/nonexistent/tool"}},
		"has NUL":    {Argv: []string{"true", canary + "\x00"}},
		"bad name":   {Argv: []string{"true"}, Env: map[string]*string{"TOKEN=" + canary: new("")}},
		"bad value":  {Argv: []string{"true"}, Env: map[string]*string{"X": new(canary + "\x00")}},
		"too long":   {Argv: []string{"true", strings.Repeat(canary, 1<<20)}},
	}
	for name, in := range inputs {
		t.Run(name, func(t *testing.T) {
			if a := run(t, c, secret(in)); a.err != nil {
				require.NotContains(t, a.err.Error(), canary)
			}
		})
	}
	require.Contains(t, log.String(), "a command ended")
	require.NotContains(t, log.String(), canary)
}

// TestNothingIsLeftBehind: descriptors, zombies, when commands end in any way
// and while they are told to stop.
func TestNothingIsLeftBehind(t *testing.T) {
	c := newCommand(t, Options{})
	require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err) // the guard is there
	before := openFiles()
	for range 10 {
		run(t, c, self("exit", "0"))
		run(t, c, Input{Argv: []string{"/nonexistent"}})
		var all []*attempt
		for range 4 {
			a := begin(t, c, Input{Argv: []string{"true"}})
			a.cancel(errStop) // races with the start and with the end
			all = append(all, a)
		}
		for _, a := range all {
			a.wait(t)
		}
	}
	require.Equal(t, before, openFiles())
	require.False(t, zombies())
}

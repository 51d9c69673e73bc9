//go:build linux || darwin

package cmd

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/nats/natstest"
)

// A user of a driver says no role: the server that a command starts runs nothing, and is a driver where NATS
// lets it be no more. A server that runs tasks does not become one without a word.
func TestAServerThatRunsNothingIsADriverWhereItMayBeNoMore(t *testing.T) {
	daemonHome(t)
	t.Cleanup(func() { _ = exec.Command("jobline", "shutdown").Run() })
	all, err := natstest.Start(filepath.Join(t.TempDir(), "nats"), 1, func(o *server.Options) {
		driver := &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"jl.jobs.executor"}}}
		o.Users = []*server.User{{Username: "admin", Password: "a"}, {Username: "driver", Password: "d", Permissions: driver}}
	})
	require.NoError(t, err)
	t.Cleanup(all.Stop)
	as := func(user, password string, args ...string) (string, error) {
		t.Setenv("NATS_USER", user)
		t.Setenv("NATS_PASSWORD", password)
		out, err := exec.Command("jobline", args...).CombinedOutput()
		return string(out), err
	}
	t.Setenv("JOBLINE_STORE", all.URLs()[0]+"/jobs")
	out, err := as("admin", "a", "store", "init", all.URLs()[0]+"/jobs")
	require.NoError(t, err, out)

	out, err = as("driver", "d", "serve")
	require.Error(t, err)
	require.Contains(t, out, `do not let this user publish to "jl.jobs.executor"; give it that permission, or give --store-role driver if it is the user of a driver`)
	out, err = as("driver", "d", "submit", "noop")
	require.NoError(t, err, out)
	out, err = as("driver", "d", "groups", "set", "g", "--limit", "1")
	require.Error(t, err)
	require.Contains(t, out, "this server is a driver of its namespace")
	out, err = as("driver", "d", "submit", "--set", "env.API_TOKEN=x", "--", "true")
	require.Error(t, err)
	require.Contains(t, out, "/env/API_TOKEN: its value is hidden, which stays in the memory of one process")
	out, err = as("driver", "d", "shutdown")
	require.NoError(t, err, out)

	t.Setenv("JOBLINE_OUTBOX", filepath.Join(t.TempDir(), "outbox.db"))
	out, err = as("driver", "d", "submit", "noop")
	require.NoError(t, err, out)
	require.NotContains(t, out, "waits in the outbox")
	out, err = as("driver", "d", "groups", "set", "g", "--limit", "1")
	require.Error(t, err)
	require.Contains(t, out, "this server is a driver of its namespace")
	out, err = as("driver", "d", "shutdown")
	require.NoError(t, err, out)
}

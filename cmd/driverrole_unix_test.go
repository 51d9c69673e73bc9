//go:build linux || darwin

package cmd

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

	// The namespace is reached later than the server has begun.
	proxy := natstest.NewProxy(t, all.URLs()[0])
	proxy.Cut()
	t.Setenv("JOBLINE_STORE", proxy.URL()+"/jobs")
	out, err = as("driver", "d", "submit", "noop")
	require.NoError(t, err, out)
	require.Contains(t, out, "waits in the outbox")
	proxy.Mend()
	for end := time.Now().Add(soon); !strings.Contains(out, "0 wait and 0 were refused"); time.Sleep(10 * time.Millisecond) {
		out, err = as("driver", "d", "stats")
		require.NoError(t, err, out)
		require.True(t, time.Now().Before(end), "it is sent: %s", out)
	}
	out, err = as("driver", "d", "shutdown")
	require.NoError(t, err, out)
}

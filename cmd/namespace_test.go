package cmd

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/nats"
)

// An empty value that is given on purpose wins over the variable of the flag, for each flag that has one.
func TestEmptyFlagsWinOverVariables(t *testing.T) {
	const file = "/variable"
	t.Setenv("NATS_CREDS", "/nats.creds")
	t.Setenv(socketVariable, "")
	t.Setenv("JOBLINE_STORE", "nats://n1/builds")
	t.Setenv("JOBLINE_STORE_CREDS", file)
	t.Setenv("JOBLINE_STORE_ROLE", "viewer")
	t.Setenv("JOBLINE_OUTBOX", file)
	target := func(args ...string) *targetOptions {
		o, c := &targetOptions{}, &cobra.Command{}
		o.scopeFlags(c)
		require.NoError(t, c.ParseFlags(args))
		return o
	}
	namespaceOf := func(args ...string) *namespace {
		n, err := target(args...).namespace("jobline")
		require.NoError(t, err)
		return n
	}

	n := namespaceOf()
	require.Equal(t, namespace{address: n.address, creds: file, outbox: file, role: nats.RoleViewer}, *n)
	require.Equal(t, []string{"--limit=0", "--store-creds=" + file, "--outbox=" + file, "--store-role=viewer"}, n.serveFlags())
	require.Equal(t, file, n.credentials().File)
	n = namespaceOf("--outbox", "", "--store-creds", "", "--store-role", "")
	require.Equal(t, namespace{address: n.address, noCreds: true}, *n)
	require.Equal(t, []string{"--limit=0", "--store-creds="}, n.serveFlags())
	require.Empty(t, n.credentials().File)
	require.NotContains(t, n.serverEnviron([]string{"JOBLINE_OUTBOX=" + file, "JOBLINE_STORE_CREDS=" + file, "JOBLINE_STORE_ROLE=viewer"}), "JOBLINE_OUTBOX="+file)
	require.Nil(t, namespaceOf("--store", ""))

	t.Setenv(socketVariable, "/a.sock")
	require.Nil(t, namespaceOf())
	path, err := target().socketPath()
	require.NoError(t, err)
	require.Equal(t, "/a.sock", path)
	require.NotNil(t, namespaceOf("--socket", ""))
	path, err = target("--socket", "").socketPath()
	require.NoError(t, err)
	require.Empty(t, path)
}

package nats

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/nats/natstest"
)

// shared are the clusters that tests have asked for, by size. Each is a process of its own, so that
// what the servers keep in memory does not count for this one.
var shared struct {
	mu       sync.Mutex
	clusters map[int]servers
	stops    []func()
	folder   string
}

func TestMain(m *testing.M) {
	natstest.Main()
	flag.Parse()
	_ = flag.Set("test.parallel", "12") // these tests mostly wait
	if !wholeMatrix {
		_ = flag.Set("rapid.checks", "20")
	}
	code := m.Run()
	for _, stop := range shared.stops {
		stop()
	}
	if shared.folder != "" {
		_ = os.RemoveAll(shared.folder)
	}
	os.Exit(code)
}

// servers are the URLs of those of a cluster.
type servers []string

// clusterOf is the cluster of a size that all tests share.
func clusterOf(t testing.TB, size int) servers {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if all := shared.clusters[size]; all != nil {
		return all
	}
	if shared.folder == "" {
		var err error
		shared.folder, err = os.MkdirTemp("", "jobline-nats")
		require.NoError(t, err)
		shared.clusters = map[int]servers{}
	}
	urls, stop := natstest.Process(t, filepath.Join(shared.folder, fmt.Sprint(size)), size)
	shared.stops = append(shared.stops, stop)
	shared.clusters[size] = urls
	return urls
}

var lastNamespace atomic.Int64

// namespace makes a namespace in as many replicas as there are servers.
func (all servers) namespace(t testing.TB) Address { return all.namespaceWith(t, Namespace{}) }

func (all servers) namespaceWith(t testing.TB, n Namespace) Address {
	t.Helper()
	n.Replicas, n.SnapshotBytes = len(all), cmp.Or(n.SnapshotBytes, snapshotBytes)
	a := Address{Servers: all, Namespace: fmt.Sprintf("n%d", lastNamespace.Add(1))}
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if _, err = Init(context.Background(), a, Credentials{}, n); err == nil {
			return a
		}
	}
	require.NoError(t, err, "a stream")
	return a
}

// open opens a store.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), o)
	require.NoError(t, err)
	return s
}

//go:build linux || darwin || freebsd

package socket

import (
	"context"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/rpc/rpctest/history"
	"github.com/jobline/jobline/schema"
)

// The guarantees of the protocol hold for eight clients on a real socket, which end
// their connections in all ways and come again. Package history has the same for pipes,
// with more limits and seeds.
func TestGuaranteesHoldOnASocket(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) executor.Store{
		"memory": func(*testing.T) executor.Store { return memory.New(memory.Options{Keep: 1 << 20, KeepBytes: 1 << 30}) },
		"sqlite": func(t *testing.T) executor.Store {
			s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "tasks.db")})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			const limit = 4
			ex, err := executor.New(open(t), executor.Options{Types: history.Types(), Limit: limit})
			require.NoError(t, err)
			for name, limit := range history.Groups() {
				_, err := ex.SetGroup(t.Context(), &schema.SetGroupParams{Name: name, Limit: &limit})
				require.NoError(t, err)
			}
			path := filepath.Join(socketDir(t), "s")
			s, err := Reserve(t.Context(), path)
			require.NoError(t, err)
			ran, served := make(chan error, 1), make(chan error, 1)
			go func() { ran <- ex.Run(context.Background()) }()
			go func() { served <- NewServer(ex, []*Socket{s}, Options{}).Run(context.Background()) }()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // far beyond what a loaded machine needs
			defer cancel()
			seed := rand.Uint64()
			h, err := history.Run(ctx, history.Setup{
				Seed: seed, Operations: 2000, Clients: 8, Leaving: true, Limit: limit, Durable: name == "sqlite",
				Dial: func() (io.ReadWriteCloser, error) { return dialSoon(ctx, path) },
			})
			for _, v := range history.Check(h) {
				t.Errorf("seed %d: %v", seed, v)
			}
			require.NoError(t, err, "seed %d, %d messages", seed, len(h.Entries))
			ex.Begin(schema.ShutdownCancel)
			require.NoError(t, <-ran)
			require.NoError(t, <-served)
			require.NoError(t, s.Release())
		})
	}
}

// dialSoon connects when the server listens.
func dialSoon(ctx context.Context, path string) (*Conn, error) {
	for {
		c, err := Dial(ctx, path)
		if err == nil || ctx.Err() != nil {
			return c, err
		}
		time.Sleep(time.Millisecond)
	}
}

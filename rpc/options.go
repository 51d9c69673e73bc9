package rpc

import (
	"cmp"
	"log/slog"

	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema/jsonscan"
)

// DefaultMaxBatch bounds the requests of a batch.
const DefaultMaxBatch = 1000

// DefaultVersion is the version of a program that does not say its own.
const DefaultVersion = "devel"

// EOFPolicy says what becomes of the executor when a client's requests end.
type EOFPolicy uint8

// What the end of a client's requests means.
const (
	EOFDetach EOFPolicy = iota // the connection ends, and the executor goes on
	EOFDrain                   // all accepted tasks run, then the executor ends
	EOFFinish                  // running tasks end, queued ones stay in a durable store, then the executor ends
	EOFCancel                  // all tasks are cancelled, then the executor ends
)

// Options sets how a connection is served. A field that is zero has its default.
type Options struct {
	Framing    wire.Framing
	OnEOF      EOFPolicy
	MaxMessage int // bytes of one message; at most 2 GiB less one
	MaxBatch   int // requests of one batch
	MaxWaits   int // pending wait requests
	MaxUnsent  int // bytes that the client has not read; beyond them no more requests are read
	// Shared says that the executor serves other connections, too. Then shutdown and
	// exit end this connection alone, unless their scope says otherwise, and a
	// shutdown of the executor is told to the client before its end. A shared
	// connection has EOFDetach as OnEOF, unless its end is to end all.
	Shared bool
	// Stop, when it is closed, interrupts the executor (executor.ShutdownInterrupt:
	// a durable store keeps the tasks that may go on later). Serve then sends the
	// events that are left, and returns.
	Stop <-chan struct{}
	// Version is the program's version, for stats.
	Version string
	Logger  *slog.Logger
}

func (o Options) withDefaults() Options {
	o.MaxMessage = min(cmp.Or(o.MaxMessage, wire.DefaultMaxMessage), jsonscan.MaxText)
	o.MaxBatch = cmp.Or(o.MaxBatch, DefaultMaxBatch)
	o.MaxWaits = cmp.Or(o.MaxWaits, DefaultMaxWaits)
	o.MaxUnsent = cmp.Or(o.MaxUnsent, wire.DefaultMaxUnsent)
	o.Version = cmp.Or(o.Version, DefaultVersion)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return o
}

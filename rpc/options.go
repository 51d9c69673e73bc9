package rpc

import (
	"cmp"
	"log/slog"

	"github.com/jobline/jobline/internal/jsonscan"
	"github.com/jobline/jobline/rpc/wire"
)

// DefaultMaxBatch bounds the requests of a batch.
const DefaultMaxBatch = 1000

// DefaultVersion is the version of a program that does not say its own.
const DefaultVersion = "devel"

// EOFPolicy says what becomes of the executor when a client's requests end.
type EOFPolicy uint8

// What the end of the requests means.
const (
	EOFDetach EOFPolicy = iota // this client leaves; the executor goes on for others
	EOFDrain                   // run all that was accepted, tell the client, end
	EOFFinish                  // let the running ones end and leave the others in a durable store, tell the client, end
	EOFCancel                  // cancel all, tell the client, end
)

// Options sets how a connection is served. A zero is the default.
type Options struct {
	Framing    wire.Framing
	OnEOF      EOFPolicy
	MaxMessage int // bytes of one message; at most 2 GiB less one
	MaxBatch   int // requests of one batch
	MaxWaits   int // pending wait requests
	MaxUnsent  int // bytes that the client has not read, before no more requests are read
	// Stop, when it is closed, interrupts the executor (executor.ShutdownInterrupt:
	// a durable store keeps the tasks that may go on later), tells the client what
	// became of its tasks, and ends Serve.
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

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/jobline/jobline/executor/store/nats"
)

// This file measures a queue of many machines next to bare messages on the same servers of NATS: what
// one has to pay anyway who writes something down there.

const (
	// sharedPieces is in how many pieces a figure and its bare one are measured, in turns.
	sharedPieces = 10
	// sharedWindow is how many tasks, or bare messages, are under way at once where they are pipelined.
	sharedWindow = 1024
	// idleTime is for how long the traffic of servers is measured that have nothing to do.
	idleTime = 10 * time.Second
)

// Shared says on which servers of NATS a shared store is measured.
type Shared struct {
	// Address has as many servers as there are to be replicas. What is measured makes namespaces
	// whose names begin as this one's, and removes them.
	Address     nats.Address
	Credentials nats.Credentials
}

// sharedRun measures a shared store.
type sharedRun struct {
	*bench
	conn *natsgo.Conn
	js   jetstream.JetStream
}

var lastShared atomic.Int64

// benchShared measures one task at a time, many at once, several servers, a cancel from afar, and
// servers that have nothing to do.
func benchShared(ctx context.Context, b *bench) error {
	if b.shared == nil {
		return nil
	}
	conn, err := nats.Dial(b.shared.Address, b.shared.Credentials)
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	s := &sharedRun{b, conn, js}
	for _, measure := range []func(context.Context, nats.Address) error{s.oneAtATime, s.pipelined, s.severalServers, s.cancels, s.known, s.idle} {
		if err := s.withNamespace(ctx, func(at nats.Address) error { return measure(ctx, at) }); err != nil {
			return err
		}
	}
	return nil
}

// withNamespace lets f have a namespace of its own.
func (s *sharedRun) withNamespace(ctx context.Context, f func(nats.Address) error) (err error) {
	at := s.shared.Address
	at.Namespace = fmt.Sprintf("%s-bench-%d-%d", at.Namespace, os.Getpid(), lastShared.Add(1))
	if _, err := nats.Init(ctx, at, s.shared.Credentials, nats.Namespace{Replicas: len(at.Servers)}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.js.DeleteStream(context.WithoutCancel(ctx), at.StreamName())) }()
	return f(at)
}

// serve starts a server of a namespace.
func (s *sharedRun) serve(ctx context.Context, at nats.Address, flags ...string) (*peer, error) {
	p, err := s.startServer(ctx, append([]string{"--store=" + at.String()}, flags...)...)
	if err != nil {
		return nil, err
	}
	if _, err := p.ask(statsLine); err != nil {
		p.end()
		return nil, fmt.Errorf("a server of the namespace %s: %w", at.Namespace, err)
	}
	return p, nil
}

// bareStream is a stream as that of a namespace, with nothing in it.
func (s *sharedRun) bareStream(ctx context.Context) (stream jetstream.Stream, remove func() error, err error) {
	name := fmt.Sprintf("JLB_%d_%d", os.Getpid(), lastShared.Add(1))
	stream, err = s.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{name}, Storage: jetstream.FileStorage, Replicas: len(s.shared.Address.Servers), Discard: jetstream.DiscardNew, DenyDelete: true,
	})
	return stream, func() error { return s.js.DeleteStream(context.WithoutCancel(ctx), name) }, err
}

// oneAtATime measures one task at a time on an idle queue, in turns with bare messages that are each
// acknowledged before the next.
func (s *sharedRun) oneAtATime(ctx context.Context, at nats.Address) (err error) {
	server, err := s.serve(ctx, at)
	if err != nil {
		return err
	}
	defer server.end()
	bare, remove, err := s.bareStream(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	line, subject := submitLines(1, 1, noopParams), bare.CachedInfo().Config.Name
	const warm = 20
	for range warm {
		if err := server.runOne(line); err != nil {
			return err
		}
	}
	bytes, err := s.bytesOf(ctx, at, func() error {
		for range warm {
			if err := server.runOne(line); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	message := make([]byte, int(bytes/warm))
	var tasks, publishes []int64
	for range sharedPieces {
		piece, err := samplesOf(s.share(1000, 20)/sharedPieces, func() error { return server.runOne(line) })
		if err != nil {
			return err
		}
		tasks = append(tasks, piece...)
		piece, err = samplesOf(s.share(1000, 20)/sharedPieces, func() error { _, err := s.js.Publish(ctx, subject, message); return err })
		if err != nil {
			return err
		}
		publishes = append(publishes, piece...)
	}
	s.recordLatency("shared noop task, one at a time", tasks)
	s.recordLatency("bare message, acknowledged", publishes)
	s.record("shared noop to a bare message, one at a time, p50", "times", float64(percentile(tasks, 0.5))/float64(percentile(publishes, 0.5)))
	return nil
}

// bytesOf is how many bytes the log of a namespace grows by.
func (s *sharedRun) bytesOf(ctx context.Context, at nats.Address, f func() error) (uint64, error) {
	before, err := s.stateOf(ctx, at)
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := s.stateOf(ctx, at)
	return after.Bytes - before.Bytes, err
}

func (s *sharedRun) stateOf(ctx context.Context, at nats.Address) (jetstream.StreamState, error) {
	stream, err := s.js.Stream(ctx, at.StreamName())
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return stream.CachedInfo().State, nil
}

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/jobline/jobline/executor/store/nats"
)

// This file measures many tasks at once in a shared store, on one server and on several.

const (
	// manyServers is how many servers share a namespace where several are measured.
	manyServers = 4
	// manySlots is how many tasks a server runs at once where many are under way: a slot waits for the
	// disks of the servers of NATS most of the time.
	manySlots = 32
)

// pipelined measures whole lives, and as many bytes in bare messages, one for each task, that are
// published and consumed.
func (s *sharedRun) pipelined(ctx context.Context, at nats.Address) error {
	for _, slots := range []int{manySlots, benchLimit} {
		if err := s.pipelinedWith(ctx, at, slots); err != nil {
			return err
		}
	}
	return nil
}

func (s *sharedRun) pipelinedWith(ctx context.Context, at nats.Address, slots int) (err error) {
	server, err := s.serve(ctx, at, slotsFlag(slots))
	if err != nil {
		return err
	}
	defer server.end()
	n := s.share(100, 100) / sharedPieces
	if err := pourNoops(server, n); err != nil {
		return err
	}
	grown, err := s.bytesOf(ctx, at, func() error { return pourNoops(server, n) })
	if err != nil {
		return err
	}
	bare, remove, err := s.bareStream(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	message := make([]byte, int(grown)/n)
	var lives, messages summary
	cpu := cpuOf(server.cmd.Process.Pid)
	for range sharedPieces {
		began := time.Now()
		if err := pourNoops(server, n); err != nil {
			return err
		}
		lives.add(perSecond(n, time.Since(began)))
		took, err := s.pourBare(ctx, bare, message, n)
		if err != nil {
			return err
		}
		messages.add(perSecond(n, took))
	}
	cpu = cpuOf(server.cmd.Process.Pid) - cpu
	of := fmt.Sprintf(", %d slots", slots)
	s.record("shared noop tasks, pipelined on one connection"+of, "tasks/s", lives.Median)
	s.record("bare messages of as many bytes, published and consumed"+of, "messages/s", messages.Median)
	s.record("shared noop to bare messages"+of, "times", lives.Median/messages.Median)
	s.record("bytes of the log per shared noop task"+of, "bytes", float64(len(message)))
	if canMeasure {
		s.record("server's CPU per shared noop task"+of, "us", micros(cpu)/float64(n*sharedPieces))
	}
	return nil
}

func slotsFlag(n int) string { return "--limit=" + strconv.Itoa(n) }

// pourBare publishes messages, some at a time, and waits until a consumer has all of them.
func (s *sharedRun) pourBare(ctx context.Context, bare jetstream.Stream, message []byte, n int) (time.Duration, error) {
	js, err := jetstream.New(s.conn, jetstream.WithPublishAsyncMaxPending(sharedWindow))
	if err != nil {
		return 0, err
	}
	info, err := bare.Info(ctx)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began, failed := time.Now(), make(chan error, 1)
	go func() {
		for range n {
			if _, err := js.PublishAsync(info.Config.Name, message); err != nil {
				cancel(err)
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	err = readLog(ctx, bare, info.State.LastSeq, info.State.LastSeq+uint64(n), func([]byte) {})
	took := time.Since(began)
	return took, errors.Join(err, <-failed)
}

// readLog reads the messages of a stream behind one, up to another.
func readLog(ctx context.Context, stream jetstream.Stream, after, through uint64, f func([]byte)) error {
	for after < through {
		consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1,
		})
		if err != nil {
			return err
		}
		messages, err := consumer.Messages(jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(500*time.Millisecond))
		if err != nil {
			return err
		}
		for after < through {
			m, err := messages.Next(jetstream.NextContext(ctx))
			if errors.Is(err, jetstream.ErrNoHeartbeat) { // a request can be lost while the consumer is made
				break
			}
			if err != nil {
				messages.Stop()
				return err
			}
			about, err := m.Metadata()
			if err != nil {
				messages.Stop()
				return err
			}
			f(m.Data())
			after = about.Sequence.Stream
		}
		messages.Stop()
	}
	return nil
}

// severalServers measures the same load on a namespace with one server and on one with several, all
// submitted to the first.
func (s *sharedRun) severalServers(ctx context.Context, one nats.Address) error {
	return s.withNamespace(ctx, func(several nats.Address) error {
		n := s.share(100, 100) / sharedPieces
		var rates [2]summary
		var servers [2]*peer
		for i, at := range []nats.Address{one, several} {
			for range []int{1, manyServers}[i] {
				server, err := s.serve(ctx, at, slotsFlag(manySlots))
				if err != nil {
					return err
				}
				defer server.end()
				if servers[i] == nil {
					servers[i] = server
				}
			}
			if err := pourNoops(servers[i], n); err != nil {
				return err
			}
		}
		before, err := s.stateOf(ctx, several)
		if err != nil {
			return err
		}
		for range sharedPieces {
			for i, server := range servers {
				began := time.Now()
				if err := pourNoops(server, n); err != nil {
					return err
				}
				rates[i].add(perSecond(n, time.Since(began)))
			}
		}
		s.record(fmt.Sprintf("shared noop tasks with %d servers", manyServers), "tasks/s", rates[1].Median)
		s.record(fmt.Sprintf("shared noop tasks with %d servers, to one", manyServers), "times", rates[1].Median/rates[0].Median)
		claims, err := s.claimsBehind(ctx, several, before.LastSeq)
		if err != nil {
			return err
		}
		s.record(fmt.Sprintf("claims of %d servers that had waited, per task, pipelined", manyServers), "claims", float64(claims)/float64(n*sharedPieces))
		return s.lostOneAtATime(ctx, several, servers[1])
	})
}

// lostOneAtATime counts the claims of several idle servers for tasks that come one at a time.
func (s *sharedRun) lostOneAtATime(ctx context.Context, at nats.Address, server *peer) error {
	before, err := s.stateOf(ctx, at)
	if err != nil {
		return err
	}
	n := s.share(5000, 20)
	line := submitLines(1, 1, noopParams)
	var samples []int64
	for range n {
		began := time.Now()
		if err := server.runOne(line); err != nil {
			return err
		}
		samples = append(samples, int64(time.Since(began)))
	}
	s.recordLatency(fmt.Sprintf("shared noop task, one at a time, %d servers", manyServers), samples)
	claims, err := s.claimsBehind(ctx, at, before.LastSeq)
	if err != nil {
		return err
	}
	s.record(fmt.Sprintf("claims of %d servers that had waited, per task, one at a time", manyServers), "claims", float64(claims)/float64(n))
	return nil
}

// claimsBehind is how many claims there are in a log behind an entry that had waited for a task. Of one
// that comes to idle servers the first gets it, and the others are in vain.
func (s *sharedRun) claimsBehind(ctx context.Context, at nats.Address, after uint64) (claims int, err error) {
	stream, err := s.js.Stream(ctx, at.StreamName())
	if err != nil {
		return 0, err
	}
	err = readLog(ctx, stream, after, stream.CachedInfo().State.LastSeq, func(entry []byte) {
		claims += bytes.Count(entry, []byte(`"again":true`)) // the tasks here have no texts of their own
	})
	return claims, err
}

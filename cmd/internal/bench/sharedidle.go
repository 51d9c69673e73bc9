package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/jobline/jobline/executor/store/nats"
)

// This file measures a cancel of a task that runs on another server, and what servers of a shared
// store take that only know of tasks, or have nothing to do.

// cancels measures how long it takes until a task of one server has heard of a cancel that another
// was told: from the request to the end of the process that the task runs, of which a connection
// tells.
func (s *sharedRun) cancels(ctx context.Context, at nats.Address) (err error) {
	here, err := s.serve(ctx, at, "--limit=1")
	if err != nil {
		return err
	}
	defer here.end()
	if err := here.fillSlot(0); err != nil {
		return err
	}
	there, err := s.serve(ctx, at, "--limit=1")
	if err != nil {
		return err
	}
	defer there.end()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	told, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer told.Close()
	bare, remove, err := s.bareStream(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	memory, err := s.startServer(ctx)
	if err != nil {
		return err
	}
	defer memory.end()
	var samples, alone, trips []int64
	for i := range s.share(10_000, 10) {
		took, err := cancelOnce(here, told, self, idOf(kindQueued, i))
		if err != nil {
			return err
		}
		inMemory, err := cancelOnce(memory, told, self, idOf(kindQueued, i))
		if err != nil {
			return err
		}
		began := time.Now()
		if _, err := s.js.Publish(ctx, bare.CachedInfo().Config.Name, make([]byte, 128)); err != nil {
			return err
		}
		samples, alone, trips = append(samples, int64(took)), append(alone, int64(inMemory)), append(trips, int64(time.Since(began)))
	}
	s.recordLatency("cancel of a task on another server", samples)
	s.recordLatency("cancel of a task on a server in memory", alone)
	s.record("cancel of a task on another server, less that in memory, to a bare message, p50", "times",
		float64(percentile(samples, 0.5)-percentile(alone, 0.5))/float64(percentile(trips, 0.5)))
	return nil
}

// fillSlot gives the server, or one that shares its store, the n-th task that does not end, and waits until it has begun.
func (p *peer) fillSlot(n int) error {
	line, err := p.ask(submitLines(0, 1, blockerParams+idOf(kindBlocker, n)+`"}`))
	for began := fmt.Appendf(nil, `"running":%d,`, n+1); err == nil && !bytes.Contains(line, began); {
		line, err = p.ask(statsLine)
	}
	return err
}

// cancelOnce lets a task begin and cancels it.
func cancelOnce(here *peer, told net.Listener, self, id string) (time.Duration, error) {
	submit := fmt.Sprintf(`{"type":"exec","input":{"argv":[%s,"bench-wait",%q]},"events":["finished"],"id":%q}`, strconv.Quote(self), told.Addr().String(), id)
	if _, err := here.ask(submitLines(0, 1, submit)); err != nil {
		return 0, err
	}
	task, err := told.Accept()
	if err != nil {
		return 0, err
	}
	defer task.Close()
	heard := make(chan time.Time, 1)
	go func() {
		_, _ = bufio.NewReader(task).ReadByte() // ends with the process
		heard <- time.Now()
	}()
	began := time.Now()
	_, err = here.pour([]byte(`{"jsonrpc":"2.0","id":1,"method":"cancel","params":{"id":"`+id+`"}}`+"\n"), func() error { return here.awaitBoth(1, 1) })
	return (<-heard).Sub(began), err
}

// Wait is a program that ends when it is told to: it is what cancels cancels.
func Wait(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

// known measures submits that wait, and the memory of each in the server that is asked and in one
// that looks on.
func (s *sharedRun) known(ctx context.Context, at nats.Address) error {
	n := s.share(5, 100)
	most := "--max-queued=" + strconv.Itoa(n+2*benchLimit)
	server, err := s.serve(ctx, at, most)
	if err != nil {
		return err
	}
	defer server.end()
	for i := range benchLimit {
		if err := server.fillSlot(i); err != nil {
			return err
		}
	}
	other, err := s.serve(ctx, at, "--limit=1")
	if err != nil {
		return err
	}
	defer other.end()
	if err := other.fillSlot(benchLimit); err != nil {
		return err
	}
	before, beforeOther := residentOf(server.cmd.Process.Pid), residentOf(other.cmd.Process.Pid)
	took, err := server.fill(n)
	if err != nil {
		return err
	}
	s.record("submits to a shared store, pipelined", "tasks/s", perSecond(n, took))
	s.recordMemory(fmt.Sprintf("memory per queued task of %s of a shared store", grouped(int64(n))), before, server, n)
	s.recordMemory("the same in another server", beforeOther, other, n)
	return nil
}

// idle measures the bytes that one of several servers sends and receives while nothing happens.
func (s *sharedRun) idle(ctx context.Context, at nats.Address) error {
	w, err := newWire(at)
	if err != nil {
		return err
	}
	defer w.close()
	for i := range manyServers {
		to := at
		if i == 0 {
			to.Servers = []string{"nats://" + w.listen.Addr().String()}
		}
		server, err := s.serve(ctx, to)
		if err != nil {
			return err
		}
		defer server.end()
	}
	took := min(idleTime, time.Duration(s.tasks)*time.Millisecond)
	time.Sleep(took / 10)
	before := w.bytes.Load()
	time.Sleep(took)
	s.record(fmt.Sprintf("traffic of one of %d idle servers", manyServers), "bytes/s", float64(w.bytes.Load()-before)/took.Seconds())
	return nil
}

package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// This file measures connections on a socket, next to a server with the same load on
// its pipes.

const (
	// manyConnections is how many connections share a load.
	manyConnections = 64
	// idleConnections is how many connections are open that do nothing.
	idleConnections = 1000
	// connectionBuffer is the size of a read of a connection, in bytes: what a pipe holds.
	connectionBuffer = 64 << 10
	// connectionPieces is in how many pieces the loads are measured, in turns.
	connectionPieces = 5
	// floodSamples is how many requests are timed beside a connection that floods.
	floodSamples = 2000
	// stallTimeout is after what time a server counts as reading no more.
	stallTimeout = 300 * time.Millisecond
	// listenTimeout is how long a server may take to listen.
	listenTimeout = 10 * time.Second
)

// benchConnections measures a server on a socket.
func benchConnections(ctx context.Context, b *bench) error {
	dir, err := os.MkdirTemp("", "jobline-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	pipes, err := b.startServer(ctx)
	if err != nil {
		return err
	}
	defer pipes.end()
	server, err := b.listen(ctx, filepath.Join(dir, "s"))
	if errors.Is(err, errNoSockets) {
		return nil
	}
	if err != nil {
		return err
	}
	defer server.end()
	for _, measure := range []func(*peer, *listener) error{b.idleMemory, b.compareLoads, b.besideFlood, b.besideStalled} {
		if err := measure(pipes, server); err != nil {
			return err
		}
	}
	return b.execOnSockets(ctx, server, filepath.Join(dir, "d"))
}

// listener is a server on a socket.
type listener struct {
	*peer
	path string
}

// listen starts a server on a socket.
func (b *bench) listen(ctx context.Context, path string) (*listener, error) {
	p, err := b.startServer(ctx, "--listen=unix:"+path, "--max-connections=10000")
	if err != nil {
		return nil, err
	}
	l, err := awaitListener(p, path)
	if err != nil {
		p.end()
	}
	return l, err
}

// awaitListener waits until a server listens.
func awaitListener(p *peer, path string) (*listener, error) {
	l := &listener{p, path}
	for began := time.Now(); time.Since(began) < listenTimeout; time.Sleep(time.Millisecond) {
		if conn, err := l.dial(); err == nil {
			conn.close()
			return l, nil
		}
	}
	return nil, errNoSockets
}

// errNoSockets says that a program does not listen, as an older build or another
// system.
var errNoSockets = errors.New("the program does not listen on a socket")

// dial connects to the server.
func (l *listener) dial() (*peer, error) {
	conn, err := net.Dial("unix", l.path)
	if err != nil {
		return nil, err
	}
	return &peer{cmd: l.cmd, in: conn, lines: bufio.NewReaderSize(conn, connectionBuffer)}, nil
}

// dialMany answers so many connections, and what closes them.
func (l *listener) dialMany(n int) (all []*peer, closeAll func(), err error) {
	closeAll = func() {
		for _, p := range all {
			p.close()
		}
	}
	for range n {
		p, err := l.dial()
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		all = append(all, p)
	}
	return all, closeAll, nil
}

// close ends a connection, and not the server.
func (p *peer) close() { _ = p.in.Close() }

// together runs something on several connections at once, and answers how many of so
// many tasks end in a second.
func together(peers []*peer, tasks int, run func(p *peer, tasks int) error) (float64, error) {
	each := tasks / len(peers)
	var all sync.WaitGroup
	errs := make([]error, len(peers))
	began := time.Now()
	for i, p := range peers {
		all.Go(func() { errs[i] = run(p, each) })
	}
	all.Wait()
	return perSecond(each*len(peers), time.Since(began)), errors.Join(errs...)
}

// pourNoops writes all tasks at once, and awaits their ends.
func pourNoops(p *peer, n int) error {
	_, err := p.pour(submitLines(0, n, noopParams), func() error { return p.awaitBoth(n, n) })
	return err
}

// connectionWindow is how many tasks a connection has under way where it does not
// write all of them at once.
const connectionWindow = 64

func windowNoops(p *peer, n int) error {
	l := load{server: p, params: noopParams, window: connectionWindow, left: n}
	return l.run()
}

// compareLoads measures the same load over pipes, over one connection, and over many.
func (b *bench) compareLoads(pipes *peer, server *listener) error {
	for _, l := range []struct {
		how string
		run func(*peer, int) error
	}{{"all written at once", pourNoops}, {fmt.Sprintf("at most %d under way on each", connectionWindow), windowNoops}} {
		if err := b.compareLoad(pipes, server, l.how, l.run); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) compareLoad(pipes *peer, server *listener, how string, run func(*peer, int) error) error {
	many, closeAll, err := server.dialMany(manyConnections)
	if err != nil {
		return err
	}
	defer closeAll()
	n := b.share(20, 640)
	loads := [][]*peer{{pipes}, many[:1], many}
	rates := make([]summary, len(loads))
	for piece := range connectionPieces + 1 {
		for i, peers := range loads {
			rate, err := together(peers, n, run)
			if err != nil {
				return err
			}
			if piece > 0 { // the first warms up
				rates[i].add(rate)
			}
		}
	}
	overPipes, overOne, overMany := rates[0].Median, rates[1].Median, rates[2].Median
	b.record("noop tasks over pipes, "+how, "tasks/s", overPipes)
	b.record("noop tasks on one connection of a socket, "+how, "tasks/s", overOne)
	b.record(fmt.Sprintf("noop tasks on %d connections together, %s", manyConnections, how), "tasks/s", overMany)
	b.record("one connection of a socket to pipes, "+how, "times", overOne/overPipes)
	b.record(fmt.Sprintf("%d connections together to one, %s", manyConnections, how), "times", overMany/overOne)
	return nil
}

// besideFlood measures status requests on a connection that does nothing else, beside
// one that keeps the server busy.
func (b *bench) besideFlood(_ *peer, server *listener) error {
	peers, closeAll, err := server.dialMany(2)
	if err != nil {
		return err
	}
	defer closeAll()
	quiet, flooding := peers[0], peers[1]
	const id = "00000000-0000-7000-8000-0000000000f1"
	known := submitLines(0, 1, `{"type":"noop","id":"`+id+`","events":["finished"]}`)
	if _, err := quiet.pour(known, func() error { return quiet.awaitBoth(1, 1) }); err != nil {
		return err
	}
	stop, over := make(chan struct{}), make(chan error, 1)
	go func() { over <- flooding.flood(stop, b.share(100, 100)) }()
	status := []byte(`{"jsonrpc":"2.0","id":"s","method":"status","params":{"id":"` + id + `"}}` + "\n")
	samples, err := samplesOf(floodSamples, func() error { _, err := quiet.ask(status); return err })
	close(stop)
	if err = errors.Join(err, <-over); err != nil {
		return err
	}
	b.recordLatency("status on a quiet connection beside one that floods", samples)
	return nil
}

// flood pours tasks, some at a time, until stop is closed.
func (p *peer) flood(stop <-chan struct{}, n int) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := pourNoops(p, n); err != nil {
			return err
		}
	}
}

// besideStalled measures the same load with and without a connection whose client
// sends requests and reads nothing.
func (b *bench) besideStalled(_ *peer, server *listener) error {
	peers, closeAll, err := server.dialMany(2)
	if err != nil {
		return err
	}
	defer closeAll()
	working, stalled := peers[0], peers[1]
	n := b.share(20, 640)
	var alone, beside summary
	for piece := range 2 * connectionPieces {
		rate, err := together([]*peer{working}, n, pourNoops)
		if err != nil {
			return err
		}
		if piece < connectionPieces {
			alone.add(rate)
		} else {
			beside.add(rate)
		}
		if piece == connectionPieces-1 {
			if err := stalled.stall(); err != nil {
				return err
			}
		}
	}
	b.record("noop tasks beside a connection that reads nothing, to the same without it", "times", beside.Median/alone.Median)
	return nil
}

// stall sends requests with long replies until the server reads no more of them.
func (p *peer) stall() error {
	conn, ok := p.in.(net.Conn)
	if !ok {
		return errors.New("only a connection can stall")
	}
	for {
		if err := conn.SetWriteDeadline(time.Now().Add(stallTimeout)); err != nil {
			return err
		}
		switch _, err := conn.Write(typesLines); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		}
	}
}

// typesLines are requests whose replies are much longer.
var typesLines = bytes.Repeat([]byte(`{"jsonrpc":"2.0","id":1,"method":"types"}`+"\n"), 100)

// idleMemory measures connections that do nothing.
func (b *bench) idleMemory(_ *peer, server *listener) error {
	if !canMeasure {
		return nil
	}
	before := residentOf(server.cmd.Process.Pid)
	all, closeAll, err := server.dialMany(idleConnections)
	if err != nil {
		return err
	}
	defer closeAll()
	for _, p := range all {
		if _, err := p.ask(statsLine); err != nil {
			return err
		}
	}
	b.record(fmt.Sprintf("memory of each of %s idle connections", grouped(idleConnections)), "bytes",
		float64(residentOf(server.cmd.Process.Pid)-before)/idleConnections)
	return nil
}

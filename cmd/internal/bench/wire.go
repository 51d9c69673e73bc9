package bench

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jobline/jobline/executor/store/nats"
)

// wire passes bytes between servers of jobline and one of NATS, and counts them.
type wire struct {
	listen net.Listener
	to     string
	bytes  atomic.Int64

	mu    sync.Mutex
	conns []net.Conn
}

func newWire(at nats.Address) (*wire, error) {
	i := slices.IndexFunc(at.Servers, func(server string) bool { return strings.HasPrefix(server, "nats://") })
	if i < 0 {
		return nil, fmt.Errorf("the traffic of %v cannot be counted: it needs nats:// and not tls://", at)
	}
	to, err := url.Parse(at.Servers[i])
	if err != nil {
		return nil, err
	}
	w := &wire{to: to.Host}
	if w.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go w.accept()
	return w, nil
}

func (w *wire) accept() {
	for {
		from, err := w.listen.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", w.to)
		if err != nil {
			_ = from.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, from, to)
		w.mu.Unlock()
		go w.pass(from, to)
		go w.pass(to, from)
	}
}

func (w *wire) pass(to, from net.Conn) {
	_, _ = io.Copy(counting{to, &w.bytes}, from)
	_ = to.Close()
}

func (w *wire) close() {
	_ = w.listen.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
}

// counting is a connection whose writes are counted.
type counting struct {
	net.Conn
	bytes *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}

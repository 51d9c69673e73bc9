package natstest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy is the network between processes and a server.
type Proxy struct {
	to     string
	listen net.Listener

	mu     sync.Mutex
	broken bool
	muted  bool
	conns  map[net.Conn]bool
}

// NewProxy makes the network to the server with a URL, which is there until the test ends.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{to: u.Host, listen: l, conns: map[net.Conn]bool{}}
	go p.accept()
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
	})
	return p
}

// URL is where the server is, through the network.
func (p *Proxy) URL() string { return "nats://" + p.listen.Addr().String() }

func (p *Proxy) accept() {
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return
		}
		go p.carry(c)
	}
}

// carry carries bytes both ways until one side ends.
func (p *Proxy) carry(from net.Conn) {
	to, err := net.Dial("tcp", p.to)
	if err != nil {
		_ = from.Close()
		return
	}
	p.mu.Lock()
	if p.broken {
		_ = from.Close()
		_ = to.Close()
	}
	p.conns[from], p.conns[to] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	for into, out := range map[io.Writer]net.Conn{to: from, mutable{from, p}: to} {
		both.Go(func() {
			_, _ = io.Copy(into, out)
			_ = from.Close()
			_ = to.Close()
		})
	}
	both.Wait()
	p.mu.Lock()
	delete(p.conns, from)
	delete(p.conns, to)
	p.mu.Unlock()
}

// Cut ends all connections, and lets no new ones come.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = true
	for c := range p.conns {
		_ = c.Close()
	}
}

// Mute loses what the server sends. What is sent to it arrives.
func (p *Proxy) Mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = true
}

// Mend lets connections come again. Those that were muted end.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.muted {
		for c := range p.conns {
			_ = c.Close()
		}
	}
	p.broken, p.muted = false, false
}

// mutable is a connection that loses what is written to it while the network is muted.
type mutable struct {
	net.Conn
	of *Proxy
}

func (m mutable) Write(b []byte) (int, error) {
	m.of.mu.Lock()
	muted := m.of.muted
	m.of.mu.Unlock()
	if muted {
		return len(b), nil
	}
	return m.Conn.Write(b)
}

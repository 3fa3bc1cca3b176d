package store_test

import (
	"net"
	"sync"
	"testing"
)

// proxy is a line to PostgreSQL that can fall silent (while gate is locked) or
// be cut.
type proxy struct {
	net.Listener
	gate  sync.Mutex
	wg    sync.WaitGroup
	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

func (p *proxy) addr() string { return p.Addr().String() }

// cut breaks what is open and refuses what comes, until it is called with false.
func (p *proxy) cut(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isCut = yes
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l}
	t.Cleanup(p.wg.Wait)
	t.Cleanup(func() { l.Close() })
	p.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			p.connect(in, target)
		}
	})
	return p
}

func (p *proxy) connect(in net.Conn, target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := net.Dial("tcp", target)
	if err != nil || p.isCut {
		in.Close()
		if err == nil {
			out.Close()
		}
		return
	}
	p.conns = append(p.conns, in, out)
	p.wg.Go(func() { p.pass(in, out) })
	p.wg.Go(func() { p.pass(out, in) })
}

func (p *proxy) pass(from, to net.Conn) {
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		p.gate.Lock()
		p.gate.Unlock() //nolint:staticcheck // waits for the gate to open
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

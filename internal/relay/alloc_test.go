package relay

import (
	"io"
	"net"
	"testing"
	"time"
)

// A block that a parked stream sends costs no allocation.
func TestAllocs(t *testing.T) {
	if raceEnabled {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	go io.Copy(io.Discard, far)
	p := &parked{line: line{conn: &Conn{Conn: near}, chunked: true, timeout: time.Minute}}
	block := make([]byte, 300)
	if n := testing.AllocsPerRun(100, func() {
		if err := p.write(block, false); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per block, want 0", n)
	}
}

package egress

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// inside are addresses that no URL of a stranger may lead to.
var inside = []string{
	"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.1.2.3",
	"127.255.255.255", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1",
	"192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
	"239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
	"::", "::1", "::127.0.0.1", "::10.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1",
	"0:0:0:0:0:ffff:7f00:0001", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
	"64:ff9b:1:ffff::7f00:1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::",
	"2002:a00:1::1", "2002:a9fe:a9fe::", "3fff::1", "5f00::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1",
	"ff02::1", "ff0e::1", "4000::1", "::2", "2620:4f:8000::1",
}

// outside are addresses of the open internet.
var outside = []string{"1.1.1.1", "8.8.8.8", "9.255.255.255", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "168.63.129.17",
	"223.255.255.255", "::ffff:8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001::1", "2003::1"}

// spelled are URLs that are refused for their spelling or what it hides.
var spelled = []string{
	"http://2130706433/", "http://017700000001/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://127.1/",
	"http://127.0.1/", "http://0/", "http://0x0/", "http://00000/", "http://127.0.0.1./", "http://127.0.0.01/", "http://127.0.0.0x1/",
	"http://0x7F.1/", "http://1.1.1.256/", "http://1.2.3.4.5/", "http://1.1.1.1.1/", "http://x.0x7f/", "http://a.1/",
	"http://user@1.1.1.1/", "http://user:pw@1.1.1.1/", "http://@1.1.1.1/", "http://127.0.0.1\\@1.1.1.1/", "http://1.1.1.1\\@127.0.0.1/",
	"http://1.1.1.1#@127.0.0.1\\/", "http:\\\\127.0.0.1\\", "http:/\\127.0.0.1/", "http:///127.0.0.1/", "http:127.0.0.1/", "http:/127.0.0.1/",
	"http:http://127.0.0.1/", "//127.0.0.1/", "127.0.0.1", "", "http://", "https://", "http:", "ftp://1.1.1.1/", "file:///etc/passwd",
	"gopher://127.0.0.1:6379/_x", "unix:///run/x", "data:text/plain,x", "javascript:alert(1)", "HTTPS:1.1.1.1",
	"http://127.0.0.1\t/", "http://1.1.1.1\r\nHost: x/", "http://1.1.1.1\n/", " http://1.1.1.1/", "http://1.1.1.1/a b", "http://1.1.1.1/\x00",
	"http://1.1.1.1/\x7f", "http://[::1%25lo]/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[2606:4700::1%251]/",
	"http://[::1]extra/", "http://[::1/", "http://[127.0.0.1]/", "http://[v1.x]/", "http://::1/", "http://1.1.1.1:0/", "http://1.1.1.1:/",
	"http://1.1.1.1:65536/", "http://1.1.1.1:080/", "http://1.1.1.1:+80/", "http://1.1.1.1:80:80/", "http://1.1.1.1:８０/",
	"http://１２７.0.0.1/", "http://①②⑦.0.0.1/", "http://127。0。0。1/", "http://exämple.com/", "http://xn--exmple-cua.com/", "http://XN--80ak6aa92e.com/",
	"http://a.xn--p1ai/", "http://%31%32%37.0.0.1/", "http://127%2e0%2e0%2e1/", "http://ex%61mple.com/", "http://exa mple.com/", "http://.example.com/",
	"http://example..com/", "http://-a.com/", "http://a-.com/", "http://a,b.com/", "http://a;b/", "http://a$b/", "http://(a)/", "http://a*b/",
	"http://" + strings.Repeat("a", 64) + ".com/", "http://" + strings.Repeat("a.", 127) + "com/", "http://x/" + strings.Repeat("a", 9000),
}

var fine = []string{"http://example.com", "https://example.com/", "https://example.com:8443/a?b=c#d", "HTTP://EXAMPLE.COM/", "http://example.com./",
	"http://1.1.1.1/", "http://[2606:4700:4700::1111]/", "http://a_b.example/", "http://3com.example/", "http://example.com/%2e%2e/", "http://0x.example/"}

func TestEgressMatrix(t *testing.T) {
	t.Parallel()
	canary, seen := listen(t)
	d := NewUntrusted(Config{Ports: []uint16{canary.Port(), 80}})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, s := range inside {
		if Public(netip.MustParseAddr(s)) {
			t.Errorf("%s is called public", s)
		}
		to := netip.AddrPortFrom(netip.MustParseAddr(s), canary.Port()).String()
		if c, err := d.DialContext(ctx, "tcp", to); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: %v %v, want ErrBlocked", to, c, err)
		}
		host := s
		if strings.Contains(s, ":") {
			host = "[" + s + "]"
		}
		if _, err := ParseURL("http://"+host+"/", Untrusted); !errors.Is(err, ErrBlocked) {
			t.Errorf("http://%s/: %v, want ErrBlocked", host, err)
		}
	}
	for _, s := range outside {
		if !Public(netip.MustParseAddr(s)) {
			t.Errorf("%s is not called public", s)
		}
	}
	for _, s := range spelled {
		for _, p := range []Profile{Untrusted, Admin} {
			if u, err := ParseURL(s, p); err == nil {
				t.Errorf("%q was read as %v", s, u)
			}
		}
	}
	for _, s := range fine {
		if _, err := ParseURL(s, Untrusted); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := ParseURL("http://127.0.0.1:11434", Admin); err != nil {
		t.Errorf("an administrator's own address: %v", err)
	}
	if n := len(inside) + len(spelled); n < 120 {
		t.Errorf("only %d spellings", n)
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("the canary saw %d connections", n)
	}
}

// listen is a canary: nothing may connect to it.
func listen(t testing.TB) (at netip.AddrPort, seen *atomic.Int32) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	seen = &atomic.Int32{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			seen.Add(1)
			c.Close()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String()), seen
}

func TestRules(t *testing.T) {
	t.Parallel()
	canary, seen := listen(t)
	local := netip.MustParsePrefix("127.0.0.0/8")
	for _, c := range []struct {
		name  string
		cfg   Config
		allow bool
	}{
		{"allowed", Config{Ports: []uint16{canary.Port()}, Rules: []Rule{{local, true}}}, true},
		{"the first decides", Config{Ports: []uint16{canary.Port()}, Rules: []Rule{{netip.MustParsePrefix("127.0.0.1/32"), false}, {local, true}}}, false},
		{"other port", Config{Rules: []Rule{{local, true}}}, false},
		{"no rule", Config{Ports: []uint16{canary.Port()}}, false},
	} {
		conn, err := NewUntrusted(c.cfg).DialContext(context.Background(), "tcp", canary.String())
		if (err == nil) != c.allow {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	if conn, err := NewAdmin(Config{}).DialContext(context.Background(), "tcp", canary.String()); err != nil {
		t.Errorf("administrator: %v", err)
	} else {
		conn.Close()
	}
	if _, err := NewUntrusted(Config{}).DialContext(context.Background(), "unix", "/tmp/x"); !errors.Is(err, ErrBlocked) {
		t.Errorf("unix: %v", err)
	}
	for start := time.Now(); seen.Load() < 2 && time.Since(start) < 5*time.Second; time.Sleep(time.Millisecond) {
	}
	if seen.Load() != 2 {
		t.Errorf("%d connections, want 2", seen.Load())
	}
}

// A name that changes its mind, or has two, leads nowhere inside.
func TestEgressRebind(t *testing.T) {
	t.Parallel()
	canary, seen := listen(t)
	flip := atomic.Int32{}
	for name, answer := range map[string]func() []string{
		"flips": func() []string {
			if flip.Add(1)%2 == 1 {
				return []string{"192.0.2.1"} // stands for a public one: nothing answers there
			}
			return []string{"127.0.0.1"}
		},
		"has both": func() []string { return []string{"198.51.100.1", "127.0.0.1"} },
	} {
		// The stand-ins are allowed, so that only the inside one is refused.
		d := NewUntrusted(Config{
			Ports:    []uint16{canary.Port()},
			Timeout:  200 * time.Millisecond,
			Resolver: resolver(t, answer),
			Rules:    []Rule{{netip.MustParsePrefix("192.0.2.0/24"), true}, {netip.MustParsePrefix("198.51.100.0/24"), true}},
		})
		for range 4 {
			c, err := d.DialContext(context.Background(), "tcp", net.JoinHostPort("rebind.example", port(canary)))
			if err == nil {
				t.Errorf("%s: connected to %s", name, c.RemoteAddr())
				c.Close()
			}
		}
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("the canary saw %d connections", n)
	}
}

func port(a netip.AddrPort) string {
	_, p, _ := net.SplitHostPort(a.String())
	return p
}

// resolver asks a name server of our own, which gives A records only.
func resolver(t testing.TB, answer func() []string) *net.Resolver {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			end := 12
			for end < n && b[end] != 0 {
				end += int(b[end]) + 1
			}
			question := b[12 : end+5]
			out := append([]byte{b[0], b[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
			if binary.BigEndian.Uint16(question[len(question)-4:]) == 1 {
				for _, s := range answer() {
					out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
					out = append(out, netip.MustParseAddr(s).AsSlice()...)
					out[7]++
				}
			}
			pc.WriteTo(out, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// FuzzEgressURL: what is accepted reads the same the second time, and its host
// is either a plain name or an address in its only spelling.
func FuzzEgressURL(f *testing.F) {
	for _, list := range [][]string{spelled, fine} {
		for _, s := range list {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseURL(s, Untrusted)
		if err != nil {
			return
		}
		again, err := ParseURL(u.String(), Untrusted)
		if err != nil || again.Host != u.Host {
			t.Fatalf("%q reads as %q, and that as %v, %v", s, u, again, err)
		}
		host := strings.TrimSuffix(u.Hostname(), ".")
		if strings.ContainsAny(host, "@\\%/?# \t\r\n") {
			t.Fatalf("%q: host %q", s, host)
		}
		if addr, err := netip.ParseAddr(host); err == nil && !Public(addr) {
			t.Fatalf("%q: address %s", s, addr)
		}
	})
}

package chat_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/config"
	"portico/internal/provider/providertest"
)

// names is a name server of the test's own: every name has the addresses of
// answer; none is NXDOMAIN, and a nil answer is silence.
type names struct {
	answer atomic.Pointer[[]string]
	asked  atomic.Int64
}

func (n *names) say(addresses ...string) { n.answer.Store(&addresses) }

// serve answers until the test is over, and gives what asks it.
func (n *names) serve(t testing.TB) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 512)
		for {
			size, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			n.asked.Add(1)
			if answer := n.answer.Load(); answer != nil {
				pc.WriteTo(reply(b[:size], *answer), from)
			}
		}
	}()
	// A look-up goes on for a while when nobody waits for it any more; here it
	// ends with the test.
	over, end := context.WithCancel(context.Background())
	t.Cleanup(func() { end(); pc.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(_ context.Context, _, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(over, "udp", pc.LocalAddr().String())
		if err == nil {
			context.AfterFunc(over, func() { c.Close() })
		}
		return c, err
	}}
}

// reply answers a DNS query with A records, or with NXDOMAIN.
func reply(query []byte, addresses []string) []byte {
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	question := query[12 : end+5]
	code := byte(0x80)
	if len(addresses) == 0 {
		code |= 3
	}
	out := append([]byte{query[0], query[1], 0x81, code, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	if binary.BigEndian.Uint16(question[len(question)-4:]) == 1 {
		for _, a := range addresses {
			out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			out = append(out, netip.MustParseAddr(a).AsSlice()...)
			out[7]++
		}
	}
	return out
}

// TestFault12_DNS: a name that nobody knows, a name server that says nothing
// and one that changes its mind. Each call dials anew, as the upstream closes.
func TestFault12_DNS(t *testing.T) {
	t.Parallel()
	ns := new(names)
	ns.say("127.0.0.1")
	named := providertest.New(t, listing(0, func(c *conn, _ *request) { c.JSON(200, wholeAnswer("x"), "Connection: close"); c.Close() }))
	other := providertest.New(t, listing(1, func(c *conn, _ *request) { c.JSON(200, wholeAnswer("other")) }))
	s := &stand{t: t, log: new(journal), up: []*providertest.Upstream{named, other}}
	s.open(func(c *config.Config) {
		c.Resolver = ns.serve(t)
		c.UpstreamConnect = time.Second
	}, []string{strings.Replace(named.URL, "127.0.0.1", "one.test", 1) + "/v1", other.URL + "/v1"})
	one, two := question(false), strings.ReplaceAll(question(false), "m0", "m1")

	// The kept connection of the list of models is used up by the first chat.
	for range 2 {
		if a := s.ask(one); a.status != 200 {
			t.Fatalf("%d %s %s", a.status, a.body, s.log)
		}
	}
	ns.say() // NXDOMAIN
	s.nameFails(one)
	ns.answer.Store(nil) // silence
	before, failed := ns.asked.Load(), make(chan struct{})
	go func() {
		defer close(failed)
		s.nameFails(one)
	}()
	eventually(t, "the name server is asked", func() bool { return ns.asked.Load() > before })
	if a := s.ask(two); a.status != 200 {
		t.Errorf("others are affected: %d %s", a.status, a.body)
	}
	<-failed
	ns.say("127.0.0.9") // where nobody listens
	s.failed(s.ask(one), http.StatusInternalServerError)
	ns.say("127.0.0.9", "127.0.0.1")
	if a := s.ask(one); a.status != 200 {
		t.Errorf("one of two addresses answers, yet %d %s", a.status, a.body)
	}
	ns.say("127.0.0.1")
	if a := s.ask(one); a.status != 200 {
		t.Errorf("the name is back, yet %d %s", a.status, a.body)
	}
}

// nameFails requires what a failed look-up is answered with, in time and
// without the name.
func (s *stand) nameFails(body string) {
	s.t.Helper()
	began := time.Now()
	a := s.ask(body)
	s.failed(a, http.StatusBadGateway)
	if took := time.Since(began); took > 5*time.Second {
		s.t.Errorf("after %v", took)
	}
	if strings.Contains(a.body, "one.test") {
		s.t.Errorf("the caller is told the name: %s", a.body)
	}
}

// TestFault13_TLS: a peer that cannot show who it is gets nothing, not even the
// key, and the administrator can read why.
func TestFault13_TLS(t *testing.T) {
	t.Parallel()
	here := []net.IP{net.IPv4(127, 0, 0, 1)}
	for name, tt := range map[string]struct {
		cert *x509.Certificate
		says string // in the log
	}{
		"nobody vouches": {&x509.Certificate{NotAfter: time.Now().Add(time.Hour), IPAddresses: here}, "unknown authority"},
		"expired":        {&x509.Certificate{NotAfter: time.Now().Add(-time.Hour), IPAddresses: here}, "expired"},
		"wrong host":     {&x509.Certificate{NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"other.example"}}, "127.0.0.1"},
		"no TLS":         {nil, "TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			up := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
			up.Config.ErrorLog = log.New(io.Discard, "", 0)
			if tt.cert != nil {
				up.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t, tt.cert)}}
				up.StartTLS()
			} else {
				up.Start()
			}
			t.Cleanup(up.Close)
			s := &stand{t: t, log: new(journal)}
			s.open(func(*config.Config) {}, []string{strings.Replace(up.URL, "http:", "https:", 1) + "/v1"})
			// A connection with a list of its own is not asked for one.
			err := s.srv.Settings.Set(t.Context(), map[string]any{"openai.api_configs": map[string]any{"0": map[string]any{"model_ids": []string{"m0"}}}})
			if err != nil {
				t.Fatal(err)
			}
			s.failed(s.ask(question(false)), http.StatusBadGateway)
			eventually(t, fmt.Sprintf("the log says %q", tt.says), func() bool { return strings.Contains(s.log.String(), tt.says) })
			if n := asked.Load(); n > 0 {
				t.Errorf("%d requests were sent to somebody unknown", n)
			}
		})
	}
}

func selfSigned(t testing.TB, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	template.NotBefore = time.Now().Add(-2 * time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"portico/internal/egress"
	"portico/internal/errdefs"
)

// publicServer answers as if it were on a public address: the one exception of
// the dialer that it gives.
func publicServer(t *testing.T, h http.HandlerFunc) (fetcher, *url.URL) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	resolver := &net.Resolver{}
	return fetcher{egress.NewUntrusted(egress.Config{
		Rules: []egress.Rule{{Prefix: netip.MustParsePrefix("127.0.0.1/32"), Allow: true}, {Prefix: netip.MustParsePrefix("::1/128"), Allow: true}},
		Ports: []uint16{uint16(port)}, Resolver: resolver,
	})}, &url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", u.Port()), Path: "/"}
}

func TestPage(t *testing.T) {
	t.Parallel()
	f, base := publicServer(t, func(w http.ResponseWriter, r *http.Request) {
		kind, hops := "text/html; charset=utf-8", 0
		if n, err := fmt.Sscanf(r.URL.Path, "/hops/%d", &hops); n == 1 && err == nil && hops > 0 {
			http.Redirect(w, r, "/hops/"+strconv.Itoa(hops-1), http.StatusFound)
			return
		}
		switch r.URL.Path {
		case "/inside":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusMovedPermanently)
			return
		case "/other-scheme":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
			return
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
			return
		case "/image":
			kind = "image/png"
		case "/endless":
			w.Header().Set("Content-Type", "text/plain")
			block := strings.Repeat("x", 1<<20)
			for range pageSize>>20 + 1 {
				if _, err := io.WriteString(w, block); err != nil {
					return
				}
			}
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, "<p>words</p>")
	})
	for path, want := range map[string]string{
		"/a.html": "", "/hops/3": "", "/hops/4": "elsewhere more than 3 times", "/inside": "plain http or https address of a public server",
		"/other-scheme": "plain http or https address", "/missing": "status 404", "/image": "neither a text", "/endless": "larger than 16 MiB",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			page, err := f.page(context.Background(), base.JoinPath(path).String())
			switch {
			case want == "" && (err != nil || string(page.Body) != "<p>words</p>"):
				t.Errorf("%+v %v", page, err)
			case want != "" && (!errdefs.Is(err, errdefs.Invalid) || !strings.Contains(errdefs.From(err).Detail, want)):
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

// No spelling of an address inside is asked, and all are refused alike.
func TestPageReachesNothingInside(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	canary := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer canary.Close()
	_, port, err := net.SplitHostPort(canary.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	// The port is allowed, so that the address alone decides.
	f := fetcher{egress.NewUntrusted(egress.Config{Ports: []uint16{uint16(n)}})}
	for _, host := range []string{
		"127.0.0.1", "localhost", "0.0.0.0", "0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1.",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "user@127.0.0.1", "127.0.0.1\\@example.com", "[fe80::1%25eth0]", "169.254.169.254", "168.63.129.16", "10.0.0.1",
	} {
		if _, err := f.page(context.Background(), "http://"+host+":"+port+"/"); !errdefs.Is(err, errdefs.Invalid) {
			t.Errorf("%s: %v", host, err)
		} else if d := errdefs.From(err).Detail; strings.Contains(d, "127") || strings.Contains(d, port) {
			t.Errorf("%s: the answer tells %q", host, d)
		}
	}
	for _, raw := range []string{"", "ftp://example.com", "file:///etc/passwd", "javascript:1", "http://", "//example.com", "http://ex ample.com/", "http://a\r\nb/", "gopher://127.0.0.1:" + port} {
		if _, err := f.page(context.Background(), raw); !errdefs.Is(err, errdefs.Invalid) {
			t.Errorf("%q: %v", raw, err)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("the canary was asked %d times", asked.Load())
	}
}

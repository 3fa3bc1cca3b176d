package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/config"
	"portico/internal/store/storetest"
	"portico/internal/user"
)

// TestMain also checks that no goroutine is left.
func TestMain(m *testing.M) { storetest.Main(m) }

func load(t *testing.T, env ...string) *config.Config {
	t.Helper()
	cfg, err := config.Load(config.Source{Environ: append([]string{"PORT=0", "HOST=127.0.0.1", "ENABLE_OLLAMA_API=false", "DATA_DIR=" + t.TempDir()}, env...)})
	if err != nil {
		t.Fatal(err)
	}
	cfg.LogTo = io.Discard
	return cfg
}

// TestLife starts a whole server, asks it, and stops it; nothing may be left.
func TestLife(t *testing.T) {
	s, err := New(t.Context(), load(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, path := range []string{"/health", "/health/db", "/ready", "/api/version", "/api/config"} {
		resp, err := client.Get("http://" + s.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s has status %d", path, resp.StatusCode)
		}
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the server does not stop")
	}
}

// TestNotStarted: a server that was built and never run lets go of everything,
// and one that cannot be built leaves nothing behind.
func TestNotStarted(t *testing.T) {
	cfg := load(t)
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), cfg); err == nil {
		t.Error("two servers on one folder")
	}
	busy := load(t)
	busy.Port = s.Addr().(*net.TCPAddr).Port
	if _, err := New(t.Context(), busy); err == nil {
		t.Error("two servers on one port")
	}
	s.Close()
	s.Close()
}

// TestNothingConfigured: a first start without any upstream warns of nothing.
func TestNothingConfigured(t *testing.T) {
	cfg := load(t, "ENABLE_OLLAMA_API=", "LOG_LEVEL=warn", "WEBUI_ADMIN_EMAIL=ana@example.com", "WEBUI_ADMIN_PASSWORD=s3cret-Pass!")
	var log strings.Builder
	cfg.LogTo = &log
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	who := &access.Principal{UserID: "u", Role: user.Admin}
	if _, err := s.models.List(t.Context(), who, true); err != nil {
		t.Error(err)
	}
	s.Close()
	if log.Len() > 0 {
		t.Errorf("the log says %s", log.String())
	}
}

func TestFaultsOfSettings(t *testing.T) {
	_, err := New(t.Context(), load(t, "JWT_EXPIRES_IN=soon", "DEFAULT_USER_ROLE=king"))
	if !config.IsFault(err) {
		t.Errorf("got %v", err)
	}
}

func TestGate(t *testing.T) {
	g := &gate{}
	if len(g.reasons()) == 0 {
		t.Error("ready before the start")
	}
	g.state.Store(int32(ready))
	if len(g.reasons()) != 0 {
		t.Error("not ready")
	}
	if !probe("/ready") || !probe("/health/db") || probe("/api/health") {
		t.Error("probes are not told from other paths")
	}
}

package embed

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
)

// server is a working embedding server: the vector of a text is its length
// and 1. Before it works it gives the answers of bad, one for each request.
type server struct {
	t      *testing.T
	asked  atomic.Int64
	flying atomic.Int64
	most   atomic.Int64
	texts  chan string
	bad    []string // "500", "429", or a body
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.flying.Add(1)
	defer s.flying.Add(-1)
	if n > s.most.Load() {
		s.most.Store(n)
	}
	i := int(s.asked.Add(1)) - 1
	if i < len(s.bad) {
		var status int
		if _, err := fmt.Sscan(s.bad[i], &status); err == nil {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			return
		}
		_, _ = w.Write([]byte(s.bad[i]))
		return
	}
	var in struct {
		Model    string
		Input    []string
		Truncate bool
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Model != "nomic" {
		s.t.Error(in, err)
	}
	var ollama, openai []any
	for i, text := range in.Input {
		s.texts <- text
		v := []float64{float64(len(text)), 1}
		ollama = append(ollama, v)
		openai = append([]any{map[string]any{"index": i, "embedding": v}}, openai...) // in another order
	}
	switch r.URL.Path {
	case "/api/embed":
		if !in.Truncate {
			s.t.Error("truncate is not set")
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"embeddings": ollama})
	case "/v1/embeddings":
		_ = json.NewEncoder(w).Encode(map[string]any{"data": openai})
	default:
		s.t.Error(r.URL.Path)
	}
}

type dialer struct{ net.Dialer }

func remoteFor(t *testing.T, engine string, opt RemoteOptions, bad ...string) (Embedder, *server, *[]time.Duration) {
	t.Helper()
	s := &server{t: t, texts: make(chan string, 1000), bad: bad}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	base, make := h.URL, NewOllama
	if engine == "openai" {
		base, make = h.URL+"/v1", NewOpenAI
	}
	up, err := hop.New(base, hop.Options{Dialer: &dialer{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(up.Close)
	var slept []time.Duration
	opt.Jitter = func() float64 { return 0.5 }
	opt.Sleep = func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil }
	return make(up, "nomic", opt), s, &slept
}

func TestRemote(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"ollama", "openai"} {
		e, s, _ := remoteFor(t, engine, RemoteOptions{QueryPrefix: "q: ", ContentPrefix: "p: ", BatchSize: 3, Concurrency: 2})
		if sp := e.Space(); sp.Dims != 0 || sp.Engine != engine || sp.Model != "nomic" || sp.ID == "" {
			t.Error(sp)
		}
		v, err := e.Question(t.Context(), "why?")
		if err != nil || len(v) != 2 || v[0] < 0.98 {
			t.Fatal(v, err)
		}
		if text := <-s.texts; text != "q: why?" {
			t.Errorf("%q", text)
		}
		texts := make([]string, 20)
		for i := range texts {
			texts[i] = strings.Repeat("x\n", i)
		}
		v, err = e.Passages(t.Context(), texts, []float32{7})
		if err != nil || len(v) != 41 || v[0] != 7 {
			t.Fatal(v, err)
		}
		for i := range texts { // in their order, normalised
			if ratio := v[1+2*i] / v[2+2*i]; int(ratio+0.5) != 3+2*i {
				t.Errorf("text %d has the vector of one of length %v", i, ratio)
			}
			if text := <-s.texts; strings.Contains(text, "\n") || !strings.HasPrefix(text, "p: ") {
				t.Errorf("%q was sent", text)
			}
		}
		if n := s.asked.Load(); n != 1+7 {
			t.Errorf("%d requests", n)
		}
		if s.most.Load() > 2 || e.Space().Dims != 2 || e.Tokens("a") != 0 {
			t.Error(s.most.Load(), e.Space())
		}
	}
}

func TestRemoteFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bad   []string
		kind  errdefs.Kind
		fails bool
		asked int64
		waits []time.Duration
	}{
		"once 500":        {bad: []string{"500"}, asked: 2, waits: []time.Duration{250 * time.Millisecond}},
		"once 429":        {bad: []string{"429"}, asked: 2, waits: []time.Duration{7 * time.Second}},
		"always 500":      {bad: []string{"500", "500", "500"}, fails: true, kind: errdefs.Upstream, asked: 3, waits: []time.Duration{250 * time.Millisecond, 500 * time.Millisecond}},
		"wrong key":       {bad: []string{"401"}, fails: true, kind: errdefs.Upstream, asked: 1},
		"unknown model":   {bad: []string{"404"}, fails: true, kind: errdefs.Upstream, asked: 1},
		"wrong count":     {bad: []string{`{"embeddings":[[1,2],[1,2]]}`}, asked: 2, waits: []time.Duration{250 * time.Millisecond}},
		"wrong dimension": {bad: []string{`{"embeddings":[[1,2,3]]}`, `{"embeddings":[[1,2]]}`, `{"embeddings":[[1]]}`}, fails: true, kind: errdefs.Upstream, asked: 2},
		"zeros":           {bad: []string{`{"embeddings":[[0,0]]}`}, asked: 2, waits: []time.Duration{250 * time.Millisecond}},
		"no number":       {bad: []string{`{"embeddings":[[NaN,1]]}`}, asked: 2, waits: []time.Duration{250 * time.Millisecond}},
		"too great":       {bad: []string{`{"embeddings":[[1e60,1]]}`}, asked: 2, waits: []time.Duration{250 * time.Millisecond}},
		"empty":           {bad: []string{`{}`}, asked: 2, waits: []time.Duration{250 * time.Millisecond}},
		"no JSON":         {bad: []string{`<html>`}, asked: 2, waits: []time.Duration{250 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, s, slept := remoteFor(t, "ollama", RemoteOptions{}, c.bad...)
			_, err := e.Question(t.Context(), "why?")
			if name == "wrong dimension" { // the first answer decides
				if err != nil {
					t.Fatal(err)
				}
				e.(*remote).opt.Attempts = 1
				_, err = e.Question(t.Context(), "why?")
			}
			if c.fails != (err != nil) || c.fails && !errdefs.Is(err, c.kind) {
				t.Error(err)
			}
			if s.asked.Load() != c.asked || fmt.Sprint(*slept) != fmt.Sprint(c.waits) {
				t.Errorf("%d requests, waited %v", s.asked.Load(), *slept)
			}
			got, err := e.Passages(t.Context(), nil, []float32{7})
			if err != nil || len(got) != 1 {
				t.Error("nothing is embedded otherwise", err)
			}
		})
	}
}

func TestRemotePassagesAreWholeOrNot(t *testing.T) {
	t.Parallel()
	e, _, _ := remoteFor(t, "ollama", RemoteOptions{BatchSize: 1, Concurrency: 1}, `{"embeddings":[[1,2]]}`, "400")
	got, err := e.Passages(t.Context(), []string{"a", "b", "c"}, []float32{7})
	if !errdefs.Is(err, errdefs.Upstream) || len(got) != 1 {
		t.Error(got, err)
	}
}

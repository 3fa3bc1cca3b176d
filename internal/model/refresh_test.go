package model_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"portico/internal/errdefs"
	"portico/internal/model"
	"portico/internal/provider"
)

func TestResolveOnMiss(t *testing.T) {
	t.Parallel()
	w := newWorld(t, model.Config{TTL: time.Hour}, map[string]any{"ollama.base_urls": openAI("o")}, "o")
	w.upstreams["o"].set(provider.Ollama, "old:latest")
	w.start()
	if got := w.ids(admin); got != "old:latest" {
		t.Fatal(got)
	}
	w.upstreams["o"].set(provider.Ollama, "old:latest", "new:latest")
	if got := w.ids(admin); got != "old:latest" {
		t.Fatalf("the list was asked for again before its time: %q", got)
	}
	w.row("preset", "young")
	if got := w.resolve(admin, "new"); got.ID != "new:latest" {
		t.Fatalf("%+v", got)
	}
	w.upstreams["o"].set(provider.Ollama, "young:latest")
	if got := w.resolve(admin, "preset"); got.Upstream != "young:latest" {
		t.Fatalf("a workspace model whose base was just pulled is %+v", got)
	}
}

func TestUnknownNamesDoNotHammer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, model.Config{TTL: time.Hour}, map[string]any{"openai.api_base_urls": openAI("a")}, "a")
	w.upstreams["a"].set(provider.OpenAI, "m")
	w.start()
	w.list(admin)
	begun := time.Now()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				if _, err := w.reg.Resolve(t.Context(), admin, "no-such-model"); !errdefs.Is(err, errdefs.NotFound) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n, most := w.upstreams["a"].calls.Load(), int64(7+2*time.Since(begun)/time.Second); n > most {
		t.Fatalf("1,000 unknown names asked the upstream %d times, more than %d", n, most)
	}
}

// A connection that hangs delays the first list, and never again.
func TestDeadConnectionDelaysNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, model.Config{TTL: time.Millisecond, Patience: 100 * time.Millisecond},
		map[string]any{"openai.api_base_urls": openAI("live", "dead", "refused")}, "live", "dead", "refused")
	w.upstreams["live"].set(provider.OpenAI, "m")
	w.upstreams["dead"].hang = make(chan struct{})
	w.upstreams["refused"].err = errors.New("connection refused")
	w.start()
	begun := time.Now()
	if got := w.ids(admin); got != "m" {
		t.Fatal(got)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the first list took %v", took)
	}
	var times []time.Duration
	for range 200 {
		begun := time.Now()
		w.ids(admin)
		times = append(times, time.Since(begun))
	}
	slices.Sort(times)
	if p99 := times[198]; p99 > 50*time.Millisecond {
		t.Errorf("p99 of a list is %v", p99)
	}
	// It comes back.
	w.upstreams["dead"].set(provider.OpenAI, "risen")
	close(w.upstreams["dead"].hang)
	eventually(t, "the model of the connection that came back is listed", func() bool { return w.ids(admin) == "m risen" })
	states := w.reg.Status()
	if len(states) != 3 || states[0].Err != nil || states[2].Err == nil || states[1].Models != 1 {
		t.Errorf("%+v", states)
	}
	if n := w.upstreams["refused"].calls.Load(); n > 3 {
		t.Errorf("a connection that refuses was asked %d times", n)
	}
}

func TestLastGoodAnswerIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, model.Config{TTL: time.Millisecond}, map[string]any{"openai.api_base_urls": openAI("a")}, "a")
	u := w.upstreams["a"]
	u.set(provider.OpenAI, "m")
	w.start()
	w.list(admin)
	u.mu.Lock()
	u.err = errors.New("down")
	u.mu.Unlock()
	if _, err := w.reg.List(t.Context(), admin, true); err != nil {
		t.Fatal(err)
	}
	if got := w.ids(admin); got != "m" || w.reg.Status()[0].Err == nil {
		t.Fatalf("after a failure the list is %q, the state %+v", got, w.reg.Status())
	}
	w.resolve(admin, "m")
}

func TestRefreshIsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, model.Config{TTL: time.Hour}, map[string]any{"openai.api_base_urls": openAI("a")}, "a")
	w.upstreams["a"].set(provider.OpenAI, "m")
	w.start()
	w.list(admin)
	w.upstreams["a"].set(provider.OpenAI, "n")
	l, err := w.reg.List(t.Context(), admin, true)
	if err != nil || decode(t, l.Body)[0]["id"] != "n" {
		t.Fatalf("%s, %v", l.Body, err)
	}
	w.upstreams["a"].set(provider.OpenAI, "o")
	w.reg.Refresh(t.Context(), provider.OpenAI, 0)
	if got := w.ids(admin); got != "o" {
		t.Fatal(got)
	}
}

func TestConnectionsFollowTheSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, model.Config{}, map[string]any{"openai.api_base_urls": openAI("a", "b")}, "a", "b")
	w.upstreams["a"].set(provider.OpenAI, "ma")
	w.upstreams["b"].set(provider.OpenAI, "mb")
	w.start()
	if got := w.ids(admin); got != "ma mb" {
		t.Fatal(got)
	}
	first := w.reg.Backends(provider.OpenAI)[0]
	w.change(map[string]any{"openai.api_base_urls": append(openAI("a"), "http://nowhere")})
	if got := w.ids(admin); got != "ma" {
		t.Fatal(got)
	}
	b := w.reg.Backends(provider.OpenAI)
	if len(b) != 2 || b[0] != first || !w.upstreams["b"].closed.Load() || w.upstreams["a"].closed.Load() {
		t.Fatal("what did not change was not kept, or what went was not closed")
	}
	if _, err := b[1].Models(t.Context()); !errdefs.Is(err, errdefs.Unavailable) {
		t.Fatal(err)
	}
	w.change(map[string]any{"openai.enable": false})
	if got := w.ids(admin); got != "" {
		t.Fatal(got)
	}
	w.change(map[string]any{"openai.enable": true})
	if got := w.ids(admin); got != "ma" {
		t.Fatal(got)
	}
}

func TestCallersContextEndsTheWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, model.Config{Patience: time.Hour, ListTimeout: time.Hour}, map[string]any{"openai.api_base_urls": openAI("a")}, "a")
	w.upstreams["a"].hang = make(chan struct{})
	w.start()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.reg.List(ctx, admin, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, err := w.reg.Resolve(ctx, admin, "m"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// Rows, grants and settings change while everybody reads.
func TestChurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, model.Config{TTL: time.Millisecond}, map[string]any{"openai.api_base_urls": openAI("a")}, "a")
	w.upstreams["a"].set(provider.OpenAI, "m", "n")
	w.start()
	w.row("m", "", everybody())
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := w.reg.Resolve(t.Context(), admin, "n"); err != nil {
					t.Error(err)
				}
				if _, err := w.reg.Resolve(t.Context(), member, "m"); err != nil && !errdefs.Is(err, errdefs.NotFound) {
					t.Error(err)
				}
				if _, err := w.reg.List(t.Context(), member, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 60 {
		switch i % 4 {
		case 0:
			w.grant("m")
			w.forbidden(member, "m")
		case 1:
			w.grant("m", everybody())
			w.resolve(member, "m")
		case 2:
			w.change(map[string]any{"ui.model_order_list": []string{"n", "m"}, "connections.forward_user_info": i%8 == 2})
		case 3:
			w.upstreams["a"].set(provider.OpenAI, "n", "m")
		}
	}
	close(stop)
	wg.Wait()
}

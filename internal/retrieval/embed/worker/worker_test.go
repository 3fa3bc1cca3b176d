package worker

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/errdefs"
	"portico/internal/retrieval/embed"
)

// The test binary is the child, too: well behaved, or as a variable says.
const childVar = "EMBED_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(childVar); how != "" {
		child, mark, _ := strings.Cut(how, ":")
		if mark != "" { // misbehaves once, before the mark is there
			f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				child = "good"
			} else {
				_ = f.Close()
			}
		}
		switch child {
		case "dies":
			os.Exit(3)
		case "babbles":
			_, _ = os.Stdout.WriteString("Hello, I am no frame.\n")
			return
		case "sleeps":
			time.Sleep(time.Hour)
		}
		if err := Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func pool(t *testing.T, how string, cfg Config) (*Pool, *embed.Local) {
	t.Helper()
	dir := filepath.Join("..", "testdata", "bert")
	open := func() *embed.Local {
		l, err := embed.OpenLocal(dir, embed.LocalOptions{ContentPrefix: "passage: "})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	cfg.Args, cfg.Env = []string{}, []string{childVar + "=" + how}
	p, here := New(cfg, open()), open()
	t.Cleanup(func() {
		if err := errors.Join(p.Close(), here.Close()); err != nil {
			t.Error(err)
		}
	})
	return p, here
}

func texts(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strings.Repeat("the river rises\n", 1+i%5)
	}
	return out
}

func same(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) < 1e-5 })
}

func TestChildGivesTheSame(t *testing.T) {
	t.Parallel()
	p, here := pool(t, "good", Config{Idle: 20 * time.Millisecond})
	want, err := here.Passages(t.Context(), texts(150), nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			got, err := p.Passages(t.Context(), texts(150), []float32{7})
			if err != nil || got[0] != 7 || !same(got[1:], want) {
				t.Error("a child gives other vectors", err)
			}
		})
	}
	wg.Wait()
	resting := func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.child != nil
	}
	for start := time.Now(); resting(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the child outlives its work")
		}
	}
	got, err := p.Passages(t.Context(), texts(1), nil)
	if err != nil || !same(got, want[:len(got)]) {
		t.Error("the next child gives other vectors", err)
	}
}

func TestChildIsReplaced(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"dies", "babbles", "sleeps"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p, here := pool(t, how+":"+filepath.Join(t.TempDir(), "mark"), Config{Wait: 2 * time.Second})
			want, _ := here.Passages(t.Context(), texts(3), nil)
			got, err := p.Passages(t.Context(), texts(3), nil)
			if err != nil || !same(got, want) {
				t.Error(err)
			}
		})
	}
}

func TestChildThatAlwaysDies(t *testing.T) {
	t.Parallel()
	p, _ := pool(t, "dies", Config{})
	got, err := p.Passages(t.Context(), texts(3), []float32{7})
	if !errdefs.Is(err, errdefs.Unavailable) || len(got) != 1 {
		t.Error(got, err)
	}
	if _, err := p.Question(t.Context(), "the river"); err != nil {
		t.Error("questions do not need the child", err)
	}
}

func TestCancelAndClose(t *testing.T) {
	t.Parallel()
	p, _ := pool(t, "sleeps", Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Passages(ctx, texts(3), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	done := make(chan error)
	go func() {
		_, err := p.Passages(t.Context(), texts(3), nil)
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errdefs.Is(err, errdefs.Unavailable) {
		t.Error(err)
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string][]byte{
		"nothing": nil, "no frame": []byte("hello, world"), "another first": {frameTexts, 0, 0, 0, 0},
		"no JSON": {frameOpen, 1, 0, 0, 0, '['}, "too long": {frameOpen, 255, 255, 255, 255},
	} {
		if err := Serve(t.Context(), bytes.NewReader(in), new(bytes.Buffer)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("t\x04\x00\x00\x00\x01\x00\x00\x00a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, body, err := readFrame(bytes.NewReader(b), nil)
		if err != nil {
			return
		}
		if all, err := parseTexts(body); err == nil && !bytes.Equal(appendTexts(nil, all), body) {
			t.Fatal("texts change on their way")
		}
		if v, err := parseVectors(nil, body, len(body)/4); err == nil && !bytes.Equal(appendVectors(nil, v), body) {
			t.Fatal("vectors change on their way")
		}
	})
}

package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/retrieval/document"
	"portico/internal/retrieval/extract"
)

// TestMain is also the child: the pool starts the test binary.
func TestMain(m *testing.M) {
	if os.Getenv(settingsVar) != "" {
		err := become(context.Background(), os.Getenv, func(lim extract.Limits, opt extract.Options) extract.Extractor {
			return &hostile{parser: extract.New(lim, opt), log: opt}
		})
		if err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// hostile is a reader that some file has taken over.
type hostile struct {
	parser *extract.Parser
	log    extract.Options
}

func (h *hostile) Extract(ctx context.Context, in extract.Input) (*document.Document, error) {
	switch in.Name {
	case "hang":
		select {}
	case "spin":
		for {
		}
	case "grow":
		var all [][]byte
		for {
			b := make([]byte, 8<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
			time.Sleep(time.Millisecond)
		}
	case "crash":
		go panic("over")
		select {}
	case "exit":
		os.Exit(0)
	case "lie":
		return &document.Document{Text: "short", Pages: []document.Page{{Start: 6}}}, nil
	case "bytes":
		return &document.Document{Text: "\xff"}, nil
	case "flood":
		return &document.Document{Text: strings.Repeat("x", 3<<20)}, nil
	case "pid":
		return &document.Document{Text: fmt.Sprint(os.Getpid())}, nil
	case "walls":
		return &document.Document{Text: walls()}, nil
	case "say":
		h.log.Log.Info("compiling\nsomething")
		in.Progress(1, 2)
		in.Progress(2, 2)
	}
	return h.parser.Extract(ctx, in)
}

// walls tells what a child can do that it must not.
func walls() string {
	var can []string
	try := func(what string, err error) {
		if err == nil {
			can = append(can, what)
		}
	}
	_, err := os.ReadFile("/etc/passwd")
	try("read /etc/passwd", err)
	_, err = os.ReadDir("/")
	try("list /", err)
	_, err = os.ReadDir("/proc")
	try("list /proc", err)
	err = os.WriteFile("/tmp/portico-wall", nil, 0o600)
	try("write /tmp", err)
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err == nil {
		_ = c.Close()
	}
	try("open a socket", err)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, settingsVar+"=") && !strings.HasPrefix(v, "GOMEMLIMIT=") {
			can = append(can, "see "+v)
		}
	}
	return "can: " + strings.Join(can, ", ")
}

func newPool(t *testing.T, cfg Config) *Pool {
	t.Helper()
	cfg.TempDir = t.TempDir()
	p := New(cfg)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func input(name, content string) extract.Input {
	return extract.Input{Name: name, Content: strings.NewReader(content), Size: int64(len(content))}
}

// read is the text of a file that must be readable.
func read(t *testing.T, p *Pool, name, content string) string {
	t.Helper()
	d, err := p.Extract(t.Context(), input(name, content))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return d.Text
}

func TestExtract(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	cfg := Config{Children: 1}
	cfg.Options.Log = logTo(&log)
	p := newPool(t, cfg)
	if got := read(t, p, "a.txt", "hello\r\nworld"); got != "hello\nworld" {
		t.Errorf("read %q", got)
	}
	if a, b := read(t, p, "pid", "x"), read(t, p, "pid", "x"); a != b || a == fmt.Sprint(os.Getpid()) {
		t.Errorf("children %s and %s: they are not kept", a, b)
	}
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, _ = f.WriteString("# Title\n")
	d, err := p.Extract(t.Context(), extract.Input{Name: "f.md", Content: f, Size: 8})
	if err != nil || len(d.Headings) != 1 || d.Title != "Title" {
		t.Errorf("an open file: %+v, %v", d, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Errorf("the caller's file is closed: %v", err)
	}
	var steps []string
	in := input("say", "x")
	in.Progress = func(done, total int) { steps = append(steps, fmt.Sprint(done, "/", total)) }
	if _, err := p.Extract(t.Context(), in); err != nil || strings.Join(steps, " ") != "1/2 2/2" {
		t.Errorf("progress %v, %v", steps, err)
	}
	if !strings.Contains(log.String(), "compiling something") {
		t.Errorf("the log has %q", log.String())
	}
	var e *extract.Error
	if _, err := p.Extract(t.Context(), input("a.txt", "")); !errors.As(err, &e) || e.Code != "empty" {
		t.Errorf("an empty file: %v", err)
	}
}

// TestFaults: whatever becomes of a child, its file fails with a reason and the
// next one is read.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, code string
		lim        extract.Limits
	}{
		{"hang", "limit:wall", extract.Limits{Wall: 3 * time.Second}},
		{"spin", "limit:wall", extract.Limits{Wall: 3 * time.Second}},
		{"spin", "limit:cpu", extract.Limits{CPU: 200 * time.Millisecond}},
		{"grow", "limit:memory", extract.Limits{Memory: 128 << 20}},
		{"crash", "", extract.Limits{}},
		{"exit", "", extract.Limits{}},
		{"lie", "", extract.Limits{}},
		{"bytes", "", extract.Limits{}},
		{"flood", "", extract.Limits{Text: 2 << 20}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPool(t, Config{Children: 1, Limits: c.lim})
			before := read(t, p, "pid", "x")
			_, err := p.Extract(t.Context(), input(c.name, "x"))
			var e *extract.Error
			if c.code != "" && (!errors.As(err, &e) || e.Code != c.code) || c.code == "" && !errors.Is(err, extract.ErrCrashed) {
				t.Errorf("%v, want %s", err, c.code)
			}
			if after := read(t, p, "pid", "x"); after == before {
				t.Error("the child goes on")
			}
		})
	}
}

func TestWalls(t *testing.T) {
	t.Parallel()
	if got := read(t, newPool(t, Config{}), "walls", "x"); got != "can: " {
		t.Errorf("a child %s", got)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	p := newPool(t, Config{Children: 1})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := p.Extract(ctx, input("spin", "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if got := read(t, p, "a.txt", "next"); got != "next" {
		t.Errorf("read %q", got)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	p := New(Config{Children: 1})
	read(t, p, "a.txt", "x")
	failed := make(chan error)
	go func() {
		_, err := p.Extract(context.Background(), input("hang", "x"))
		failed <- err
	}()
	time.Sleep(50 * time.Millisecond)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("at work: %v", err)
	}
	if _, err := p.Extract(context.Background(), input("a.txt", "x")); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	p := newPool(t, Config{Children: 1, Idle: time.Millisecond})
	a := read(t, p, "pid", "x")
	for range 500 {
		p.mu.Lock()
		n := len(p.idle)
		p.mu.Unlock()
		if n == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if b := read(t, p, "pid", "x"); a == b {
		t.Error("a child without work is kept")
	}
}

func TestMany(t *testing.T) {
	t.Parallel()
	p := newPool(t, Config{Children: 2})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			name, want := "a.txt", fmt.Sprint("text ", i)
			if i%5 == 4 {
				name = "crash"
			}
			d, err := p.Extract(t.Context(), input(name, want))
			if name == "crash" {
				if !errors.Is(err, extract.ErrCrashed) {
					t.Errorf("%d: %v", i, err)
				}
			} else if err != nil || d.Text != want {
				t.Errorf("%d: %v, %v", i, d, err)
			}
		})
	}
	wg.Wait()
}

// FuzzAnswer: what a child sends, a parent takes or refuses.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("t\x00\x00\x00\x02hid\x00\x00\x00\x02{}"))
	f.Add([]byte("f\x00\x00\x00\x02{}"))
	f.Add([]byte("p\x00\x00\x00\x12{\"done\":1,\"total\":2}s\x00\x00\x00\x01x"))
	f.Add([]byte("d\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		ours, theirs, err := pair()
		if err != nil {
			t.Fatal(err)
		}
		defer ours.Close()
		go func() {
			_, _ = theirs.Write(sent)
			_ = theirs.Close()
		}()
		c := &child{pool: &Pool{log: logTo(io.Discard)}, conn: ours}
		d, err := c.answer(extract.Input{}, extract.Limits{}.WithDefaults())
		if d == nil && err == nil {
			t.Error("neither a document nor an error")
		}
	})
}

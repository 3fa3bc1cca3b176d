// Package worker reads files in child processes of the same binary, so that
// hostile bytes can harm neither the server's memory nor its secrets.
//
// A child is started on demand, kept warm while there is work, and has one job
// at a time. It gets its file as an open descriptor, never as a path, over a
// socket that is its only tie to the world; frames come back (frame.go). It
// confines itself before it sees a byte (confine_linux.go); the parent watches
// its memory, its processor time and the clock, and kills its process group
// when they are over.
package worker

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"portico/internal/retrieval/document"
	"portico/internal/retrieval/extract"
)

// Config says how children are run. Zero fields take what is in parentheses.
type Config struct {
	// Program is the binary to run (this one), Args its arguments
	// (extract --worker). It must end up in Child.
	Program string
	Args    []string
	// Children is how many run at once at most (1 for two cores, else half the
	// cores, at most 4).
	Children int
	// Idle is how long a child without work is kept (30 s).
	Idle time.Duration
	// TempDir holds a copy of content that is no open file while it is read,
	// without a name (the system's).
	TempDir string
	Limits  extract.Limits
	Options extract.Options // Log stays with the parent
}

// Pool runs children. It is an extract.Extractor for any number of callers.
type Pool struct {
	cfg   Config
	log   *slog.Logger
	slots chan struct{}
	spawn chan spawning
	stop  context.CancelFunc
	ctx   context.Context
	wait  sync.WaitGroup

	mu   sync.Mutex
	idle []*child
}

// ErrClosed is what a closed pool answers.
var ErrClosed = errors.New("extract: the pool of children is closed")

// New makes a pool; it starts no child yet.
func New(cfg Config) *Pool {
	if cfg.Program == "" {
		cfg.Program = own
	}
	if cfg.Args == nil {
		cfg.Args = []string{"extract", "--worker"}
	}
	if cfg.Children <= 0 {
		cfg.Children = min(max(1, runtime.NumCPU()/2), 4)
	}
	cfg.Idle = cmp.Or(cfg.Idle, 30*time.Second)
	cfg.Limits = cfg.Limits.WithDefaults()
	p := &Pool{cfg: cfg, log: cmp.Or(cfg.Options.Log, slog.New(slog.DiscardHandler)), slots: make(chan struct{}, cfg.Children), spawn: make(chan spawning)}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.wait.Go(p.starter)
	return p
}

// Close ends all children, also at work, and waits for them.
func (p *Pool) Close() error {
	p.stop()
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.end()
	}
	p.wait.Wait()
	return nil
}

// Extract implements extract.Extractor. A child that dies at its work is
// ErrCrashed, one that is too much *extract.Error with the code of the limit.
func (p *Pool) Extract(ctx context.Context, in extract.Input) (*document.Document, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.ctx.Done():
		return nil, ErrClosed
	}
	defer func() { <-p.slots }()
	file, err := p.open(ctx, in)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for {
		c, warm, err := p.take(ctx)
		if err != nil {
			return nil, err
		}
		doc, err := c.run(ctx, p.ctx, in, file)
		if c.sound(err) {
			p.give(c)
			return doc, err
		}
		c.end()
		if warm && errors.Is(err, errGone) {
			continue // it had died while it was idle: no fault of this file
		}
		if errors.Is(err, errGone) {
			err = extract.ErrCrashed
		}
		return nil, err
	}
}

// take gives an idle child, the one used last, or a new one.
func (p *Pool) take(ctx context.Context) (c *child, warm bool, err error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if c != nil {
		if c.timer.Stop() {
			return c, true, nil
		}
		c.end() // its time was over just now
	}
	c, err = p.start(ctx)
	return c, false, err
}

// give keeps a child for the next job, for a while.
func (p *Pool) give(c *child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		go c.end()
		return
	}
	c.timer = time.AfterFunc(p.cfg.Idle, func() { p.retire(c) })
	p.idle = append(p.idle, c)
}

// retire ends a child that had no work for a while.
func (p *Pool) retire(c *child) {
	p.mu.Lock()
	i := slices.Index(p.idle, c)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		c.end()
	}
}

// open gives the content as a file that a child can be handed. What is no file
// is copied to one that has no name.
func (p *Pool) open(ctx context.Context, in extract.Input) (*os.File, error) {
	if f, ok := in.Content.(*os.File); ok {
		return dup(f)
	}
	f, err := os.CreateTemp(p.cfg.TempDir, "extract-*")
	if err != nil {
		return nil, err
	}
	if err = os.Remove(f.Name()); err == nil {
		err = copyTo(ctx, f, in)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

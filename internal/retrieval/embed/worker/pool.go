package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"portico/internal/errdefs"
	"portico/internal/retrieval/embed"
)

// Config says how the child is run. Zero fields take the defaults in
// parentheses.
type Config struct {
	Program string        // this binary
	Args    []string      // ("embed")
	Env     []string      // none
	Idle    time.Duration // after which a child without work is ended (20 s)
	Wait    time.Duration // for one batch (5 min)
	Memory  int64         // bytes, the mapped weights aside (1 GiB)
	Nice    int           // (19)
	Logger  *slog.Logger  // none
}

func (c Config) withDefaults() Config {
	if c.Program == "" {
		c.Program, _ = os.Executable()
	}
	if c.Args == nil {
		c.Args = []string{"embed"}
	}
	if c.Idle <= 0 {
		c.Idle = 20 * time.Second
	}
	if c.Wait <= 0 {
		c.Wait = 5 * time.Minute
	}
	if c.Memory <= 0 {
		c.Memory = 1 << 30
	}
	if c.Nice == 0 {
		c.Nice = 19
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Pool is an embed.Embedder whose questions are embedded in this process and
// whose passages are in a child. There is one child, which uses all cores, and
// none while there is no work.
type Pool struct {
	*embed.Local // Space, Question, Tokens, MaxTokens
	cfg          Config

	turn chan struct{} // held by the batch that the child works on

	mu     sync.Mutex
	child  *child // between batches
	idle   *time.Timer
	closed chan struct{}
	once   sync.Once
}

// New makes a Pool around a model, which it owns from then on.
func New(cfg Config, in *embed.Local) *Pool {
	return &Pool{Local: in, cfg: cfg.withDefaults(), turn: make(chan struct{}, 1), closed: make(chan struct{})}
}

// What one batch holds at most: some seconds of work, so that two files which
// are embedded at once take turns.
const (
	batchTexts = 64
	batchBytes = 1 << 20
)

var errClosed = errdefs.New(errdefs.Unavailable, "The server is going down. Try again.")

// Passages implements embed.Embedder.
func (p *Pool) Passages(ctx context.Context, texts []string, dst []float32) ([]float32, error) {
	start := len(dst)
	for len(texts) > 0 {
		n, size := 0, 0
		for n < len(texts) && n < batchTexts && (n == 0 || size+len(texts[n]) <= batchBytes) {
			size += len(texts[n])
			n++
		}
		var err error
		if dst, err = p.batch(ctx, texts[:n], dst); err != nil {
			return dst[:start], err
		}
		texts = texts[n:]
	}
	return dst, nil
}

// batch has the child embed some texts; a child that dies of it is replaced
// once.
func (p *Pool) batch(ctx context.Context, texts []string, dst []float32) ([]float32, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return dst, context.Cause(ctx)
	case <-p.closed:
		return dst, errClosed
	}
	var err error
	for range 2 {
		var out []float32
		if out, err = p.try(ctx, texts, dst); err == nil {
			return out, nil
		}
		if _, told := errors.AsType[*errdefs.Error](err); told || ctx.Err() != nil {
			break
		}
		p.cfg.Logger.Warn("the child that embeds passages died", "error", err)
	}
	select {
	case <-p.closed:
		return dst, errClosed
	default:
	}
	if ctx.Err() != nil {
		return dst, context.Cause(ctx)
	}
	if _, told := errors.AsType[*errdefs.Error](err); told {
		return dst, err
	}
	return dst, errdefs.New(errdefs.Unavailable, "The process that embeds passages died twice over the same passages. They are tried again later.").WithCause(err)
}

// try runs one batch in the child, which is started if there is none.
func (p *Pool) try(ctx context.Context, texts []string, dst []float32) ([]float32, error) {
	c := p.take()
	ctx, cancel := context.WithTimeoutCause(ctx, p.cfg.Wait, fmt.Errorf("nothing came for %s", p.cfg.Wait))
	defer cancel()
	if c == nil {
		var err error
		if c, err = p.start(ctx); err != nil {
			return dst, err
		}
	}
	out, err := c.embed(ctx, texts, dst, p.Space().Dims)
	if _, told := errors.AsType[*errdefs.Error](err); err != nil && !told {
		c.end()
		return dst, errors.Join(err, context.Cause(ctx), c.last())
	}
	p.give(c)
	return out, err
}

// take gives the child that rests, or nil.
func (p *Pool) take() *child {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.child
	p.child = nil
	if p.idle != nil {
		p.idle.Stop()
	}
	return c
}

// give lets a child rest until there is work or it has rested for too long.
func (p *Pool) give(c *child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
		c.end()
		return
	default:
	}
	p.child = c
	if p.idle == nil {
		p.idle = time.AfterFunc(p.cfg.Idle, p.rest)
	} else {
		p.idle.Reset(p.cfg.Idle)
	}
}

// rest ends the child that has nothing to do.
func (p *Pool) rest() {
	if c := p.take(); c != nil {
		c.end()
	}
}

// Close implements embed.Embedder. A batch that is being worked on fails.
func (p *Pool) Close() error {
	p.once.Do(func() { close(p.closed) })
	p.turn <- struct{}{} // the batch in work has seen it
	p.rest()
	<-p.turn
	return p.Local.Close()
}

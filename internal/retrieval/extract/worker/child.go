package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"portico/internal/retrieval/document"
	"portico/internal/retrieval/extract"
)

// errGone is a child that ended or spoke nonsense.
var errGone = errors.New("extract: the child is gone")

// child is one process.
type child struct {
	pool  *Pool
	cmd   *exec.Cmd
	conn  conn
	tail  tail // of what it wrote to its standard error
	done  chan struct{}
	once  sync.Once
	timer *time.Timer // while it is idle
	// killed is set when the last job was ended from here.
	killed bool
}

type spawning struct {
	c   *child
	err chan error
}

// starter starts all children from one thread that lives as long as the pool:
// the signal that ends a child with its parent is tied to the thread that
// started it.
func (p *Pool) starter() {
	runtime.LockOSThread() // never unlocked: the thread ends with the pool
	for {
		select {
		case s := <-p.spawn:
			s.err <- s.c.cmd.Start()
		case <-p.ctx.Done():
			p.mu.Lock()
			idle := p.idle
			p.idle = nil
			p.mu.Unlock()
			for _, c := range idle {
				c.end()
			}
			return
		}
	}
}

// start starts a child.
func (p *Pool) start(ctx context.Context) (*child, error) {
	ours, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	set, err := json.Marshal(settings{
		Tesseract: p.cfg.Options.Tesseract, TessData: p.cfg.Options.TessData, CacheDir: p.cfg.Options.CacheDir,
		Memory: p.cfg.Limits.Memory, CPU: p.cfg.Limits.CPU,
	})
	if err != nil {
		return nil, err
	}
	c := &child{pool: p, conn: ours, done: make(chan struct{})}
	c.cmd = exec.Command(p.cfg.Program, p.cfg.Args...)
	c.cmd.Env = []string{settingsVar + "=" + string(set), fmt.Sprintf("GOMEMLIMIT=%d", p.cfg.Limits.Memory*6/10)}
	c.cmd.Dir = "/"
	c.cmd.Stderr = &c.tail
	c.cmd.ExtraFiles = []*os.File{theirs}
	c.cmd.WaitDelay = time.Second
	c.cmd.SysProcAttr = attributes()
	s := spawning{c: c, err: make(chan error, 1)}
	select {
	case p.spawn <- s:
		err = <-s.err
	case <-p.ctx.Done():
		err = ErrClosed
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	p.wait.Go(func() {
		_ = c.cmd.Wait()
		close(c.done)
	})
	return c, nil
}

// run has the child read one file.
func (c *child) run(ctx, pool context.Context, in extract.Input, file *os.File) (*document.Document, error) {
	lim := c.pool.cfg.Limits
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Whatever ends the work early kills the child, which ends the reading.
	closed := context.AfterFunc(pool, func() { cancel(ErrClosed) })
	killing := context.AfterFunc(ctx, c.kill)
	watch, unwatch := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { c.watch(watch, lim, cancel) })

	err := c.conn.sendJSON(frameJob, job{Name: in.Name, ContentType: in.ContentType, Size: in.Size, Limits: lim}, file)
	var doc *document.Document
	if err == nil {
		doc, err = c.answer(in, lim)
	}
	unwatch()
	watcher.Wait()
	closed()
	c.killed = !killing()

	var e *extract.Error
	switch cause := context.Cause(ctx); {
	case err == nil || errors.As(err, &e):
		return doc, err
	case cause != nil:
		return nil, cause
	}
	c.pool.log.Warn("a child that reads files died", "error", err, "says", c.last())
	return nil, errGone
}

// answer reads frames until the job is done.
func (c *child) answer(in extract.Input, lim extract.Limits) (*document.Document, error) {
	var text strings.Builder
	for {
		kind, body, file, err := c.conn.receive()
		if file != nil {
			_ = file.Close()
		}
		if err != nil {
			return nil, err
		}
		switch kind {
		case frameSay:
			c.pool.log.Info(printable(string(body), 200))
		case frameProgress:
			var p progress
			if json.Unmarshal(body, &p) == nil && in.Progress != nil {
				in.Progress(p.Done, p.Total)
			}
		case frameText:
			if int64(text.Len()+len(body)) > lim.Text {
				return nil, errors.New("extract: more text than the limit")
			}
			text.Write(body)
		case frameDocument:
			d := &document.Document{}
			if err := json.Unmarshal(body, d); err != nil {
				return nil, err
			}
			d.Text = text.String()
			return d, check(d)
		case frameFailed:
			var f failure
			if err := json.Unmarshal(body, &f); err != nil {
				return nil, err
			}
			return nil, f.err()
		default:
			return nil, fmt.Errorf("extract: a frame of kind %q", kind)
		}
	}
}

// check refuses a document whose positions are not in its text: what a child
// says is not believed.
func check(d *document.Document) error {
	ok := utf8.ValidString(d.Text)
	within := func(at *int, s document.Span) {
		ok = ok && *at <= s.Start && s.Start <= s.End && s.End <= len(d.Text)
		*at = s.Start
	}
	var page, heading, table, solid int
	for _, p := range d.Pages {
		within(&page, document.Span{Start: p.Start, End: p.Start})
	}
	for _, h := range d.Headings {
		within(&heading, h.Span)
	}
	for _, t := range d.Tables {
		within(&table, t.Span)
	}
	for _, s := range d.Solid {
		within(&solid, s)
	}
	if !ok {
		return errors.New("extract: a document whose positions are not in its text")
	}
	return nil
}

func (f failure) err() error {
	cause := errors.New(printable(f.Cause, 500))
	if f.Code == "" {
		return fmt.Errorf("extract: the child failed: %w", cause)
	}
	return &extract.Error{Code: printable(f.Code, 40), Detail: printable(f.Detail, 500), Err: cause}
}

// printable bounds what a child says of itself.
func printable(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	return s[:min(len(s), n)]
}

// glance is how often a child at work is looked at. On a busy machine it is less
// often, so a child is ended at three quarters of its memory: what it takes until
// the next look is within the limit.
const glance = 20 * time.Millisecond

// watch ends the job when it takes more than the limits allow.
func (c *child) watch(ctx context.Context, lim extract.Limits, end context.CancelCauseFunc) {
	wall := time.NewTimer(lim.Wall)
	defer wall.Stop()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	pid, most := c.cmd.Process.Pid, lim.Memory/4*3
	used, _ := usage(pid)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.done:
			return
		case <-wall.C:
			end(&extract.Error{Code: "limit:wall", Detail: fmt.Sprintf("Reading this file took longer than %d s, which is the limit.", int(lim.Wall.Seconds()))})
			return
		case <-tick.C:
		}
		now, memory := usage(pid)
		switch {
		case memory > most:
			end(&extract.Error{Code: "limit:memory", Detail: fmt.Sprintf("Reading this file took more than %d MiB of memory, which is the limit.", most>>20)})
			return
		case now-used > lim.CPU:
			end(&extract.Error{Code: "limit:cpu", Detail: fmt.Sprintf("Reading this file took more than %d s of processor time, which is the limit.", int(lim.CPU.Seconds()))})
			return
		}
	}
}

// sound reports whether the child may have another job after one that ended
// with err.
func (c *child) sound(err error) bool {
	var e *extract.Error
	if c.killed || err != nil && !errors.As(err, &e) {
		return false
	}
	if e != nil && e.Code == "limit:wall" { // it gave up waiting for itself
		return false
	}
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// kill ends the child and what it started, at once.
func (c *child) kill() {
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	_ = c.cmd.Process.Kill()
}

// end ends the child and waits for it.
func (c *child) end() {
	c.once.Do(func() {
		_ = c.conn.Close()
		c.kill()
	})
	<-c.done
}

// last is what the child said last on its standard error.
func (c *child) last() string {
	select {
	case <-c.done:
	case <-time.After(time.Second):
	}
	return printable(c.tail.String(), 300)
}

// tail keeps the beginning of what is written to it, where Go says why it dies.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p[:min(len(p), 4096-min(t.b.Len(), 4096))])
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

package worker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"

	"portico/internal/errdefs"
)

// child is one process.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	buf    []byte
	said   said
	once   sync.Once
	closed <-chan struct{} // of its pool
}

// start starts a child and waits until it has opened the model.
func (p *Pool) start(ctx context.Context) (*child, error) {
	c := &child{cmd: exec.Command(p.cfg.Program, p.cfg.Args...), closed: p.closed}
	c.cmd.Env = append([]string{fmt.Sprintf("GOMEMLIMIT=%d", p.cfg.Memory/2)}, p.cfg.Env...)
	c.cmd.Stderr = &c.said
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // signals of a terminal are for the server
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, errdefs.New(errdefs.Unavailable, "The process that embeds passages cannot be started. They are tried again later.").WithCause(err)
	}
	set, err := json.Marshal(opening{p.Dir(), p.Options(), p.Space().ID, p.cfg.Memory, p.cfg.Nice})
	if err == nil {
		_, err = c.ask(ctx, frameOpen, set)
	}
	if err != nil {
		c.end()
		return nil, errors.Join(err, context.Cause(ctx), c.last())
	}
	return c, nil
}

// ask sends a frame and gives what the answer holds. The end of ctx or of the
// pool kills the child, which is what ends the waiting.
func (c *child) ask(ctx context.Context, kind byte, body []byte) ([]byte, error) {
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-done:
		case <-ctx.Done():
			_ = c.cmd.Process.Kill()
		case <-c.closed:
			_ = c.cmd.Process.Kill()
		}
	})
	defer watching.Wait()
	defer close(done)
	if err := writeFrame(c.in, kind, body); err != nil {
		return nil, err
	}
	kind, answer, err := readFrame(c.out, c.buf)
	if err != nil {
		return nil, err
	}
	c.buf = answer
	switch kind {
	case frameVectors:
		return answer, nil
	case frameError:
		var f fault
		if err := json.Unmarshal(answer, &f); err != nil {
			return nil, err
		}
		return nil, f.err()
	}
	return nil, fmt.Errorf("a frame of kind %q", kind)
}

// embed appends the vectors of texts to dst.
func (c *child) embed(ctx context.Context, texts []string, dst []float32, dims int) ([]float32, error) {
	answer, err := c.ask(ctx, frameTexts, appendTexts(nil, texts))
	if err != nil {
		return dst, err
	}
	return parseVectors(dst, answer, len(texts)*dims)
}

// end ends the child and waits for it.
func (c *child) end() {
	c.once.Do(func() {
		_ = c.in.Close()
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
}

// last is what a child that has ended said on its standard error, or nil.
func (c *child) last() error {
	if s := c.said.String(); s != "" {
		return errors.New(s)
	}
	return nil
}

// said keeps the beginning of what is written to it, where Go says why it dies.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Write(p[:min(len(p), 2048-min(s.b.Len(), 2048))])
	return len(p), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

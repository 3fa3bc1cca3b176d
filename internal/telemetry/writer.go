package telemetry

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Writer takes lines and writes them from another goroutine, so that a slow
// terminal or a blocked pipe never slows an answer. What does not fit into its
// buffer is dropped and counted. Lines wait a moment for each other, so that
// many requests cost one write.
type Writer struct {
	out     io.Writer
	limit   int
	mu      sync.Mutex
	buf     []byte // lines waiting
	spare   []byte // the buffer of the write before, to be used again
	closed  bool
	wake    chan struct{} // something is waiting
	quit    chan struct{} // closed by Close
	done    chan struct{} // closed when run has ended
	dropped atomic.Uint64
}

// gather is how long a line may wait for others.
const gather = 20 * time.Millisecond

// NewWriter starts a Writer that holds at most limit bytes. Close ends it.
func NewWriter(out io.Writer, limit int) *Writer {
	w := &Writer{out: out, limit: limit, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// Write takes one line. It never blocks and never fails.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	if w.closed || len(w.buf)+len(p) > w.limit {
		w.mu.Unlock()
		w.dropped.Add(1)
		return len(p), nil
	}
	w.buf = append(w.buf, p...)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

// Dropped is the number of lines that were lost.
func (w *Writer) Dropped() uint64 { return w.dropped.Load() }

// Close writes what is left, waiting at most a second for it.
func (w *Writer) Close() error {
	w.mu.Lock()
	already := w.closed
	w.closed = true
	w.mu.Unlock()
	if !already {
		close(w.quit)
	}
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-w.done:
	case <-t.C:
	}
	return nil
}

func (w *Writer) run() {
	defer close(w.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	for open := true; open; {
		select {
		case <-w.wake:
			pause.Reset(gather)
			select {
			case <-pause.C:
			case <-w.quit:
			}
		case <-w.quit:
			open = false
		}
		w.mu.Lock()
		lines := w.buf
		w.buf = w.spare[:0]
		w.mu.Unlock()
		if len(lines) > 0 {
			if _, err := w.out.Write(lines); err != nil {
				w.dropped.Add(1)
			}
		}
		w.mu.Lock()
		w.spare = lines
		w.mu.Unlock()
	}
}

//go:build !linux

package relay

import (
	"errors"
	"sync"
	"time"
)

// What can be waited for on a client's connection. Here both are a read: what
// it brings is kept for the next request.
const (
	forLeaving = 1
	forRequest = 2
)

// watcher tells when clients leave, with a goroutine for each.
type watcher struct {
	mu    sync.Mutex
	last  uint64
	ended map[uint64]chan struct{}
}

func newWatcher() (*watcher, error) { return &watcher{ended: map[uint64]chan struct{}{}}, nil }

// add calls fn once when what is waited for happens, unless remove came before.
func (w *watcher) add(c *Conn, events uint32, fn func()) (uint64, error) {
	ended := make(chan struct{})
	w.mu.Lock()
	w.last++
	id := w.last
	w.ended[id] = ended
	w.mu.Unlock()
	go func() {
		var one [1]byte
		n, err := c.Conn.Read(one[:])
		c.early = append(c.early, one[:n]...)
		close(ended)
		var timeout interface{ Timeout() bool }
		if errors.As(err, &timeout) && timeout.Timeout() {
			return // remove
		}
		if err != nil || events == forRequest {
			fn()
		}
	}()
	return id, nil
}

// remove must come before the connection is closed or watched again.
func (w *watcher) remove(c *Conn, id uint64) {
	w.mu.Lock()
	ended := w.ended[id]
	delete(w.ended, id)
	w.mu.Unlock()
	if ended == nil {
		return
	}
	c.SetReadDeadline(time.Unix(1, 0))
	<-ended
	c.SetReadDeadline(time.Time{})
}

func (w *watcher) close() {}

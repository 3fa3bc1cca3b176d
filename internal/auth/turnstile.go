package auth

import (
	"context"
	"sync/atomic"
)

// maxQueue is how many may wait at a turnstile.
const maxQueue = 256

// turnstile lets callers through one at a time, in their order. It is for
// those who come from where too many unknown keys came from: they may cost no
// more than one statement at a time, but among them are honest ones, who share
// an address with the others behind a proxy.
type turnstile struct {
	slot    chan struct{}
	waiting atomic.Int32
}

func newTurnstile() *turnstile { return &turnstile{slot: make(chan struct{}, 1)} }

// enter waits for its turn. It gives false when too many wait already, or the
// caller left; after true, leave must be called.
func (t *turnstile) enter(ctx context.Context) bool {
	if t.waiting.Add(1) > maxQueue {
		t.waiting.Add(-1)
		return false
	}
	defer t.waiting.Add(-1)
	select {
	case t.slot <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t *turnstile) leave() { <-t.slot }

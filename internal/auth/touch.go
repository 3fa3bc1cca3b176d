package auth

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// touch is one thing whose last use is remembered: a key or a person.
type touch struct {
	id     string
	at     atomic.Int64 // seconds since 1970
	queued atomic.Bool
	next   *touch // belongs to the list while queued
}

// touches is a list of what was used since the last flush. Adding to it is one
// or two atomic operations and allocates nothing.
type touches struct{ head atomic.Pointer[touch] }

// use records that t was used at now.
func (l *touches) use(t *touch, now int64) {
	if t.at.Load() == now {
		return
	}
	t.at.Store(now)
	if t.queued.Swap(true) {
		return
	}
	for {
		head := l.head.Load()
		t.next = head
		if l.head.CompareAndSwap(head, t) {
			return
		}
	}
}

// take empties the list.
func (l *touches) take() map[string]int64 {
	var at map[string]int64
	for t := l.head.Swap(nil); t != nil; {
		next := t.next
		// From here on another use may queue t again: its time is read after
		// that, so that none is lost.
		t.queued.Store(false)
		if at == nil {
			at = map[string]int64{}
		}
		at[t.id] = max(at[t.id], t.at.Load())
		t = next
	}
	return at
}

// flushLoop writes last-use times every few seconds, when there are any.
func (s *Service) flushLoop() {
	tick := time.NewTicker(s.cfg.FlushEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			if err := s.flush(context.Background()); err != nil {
				s.log.Warn("the last use of keys and people could not be written", "err", err)
			}
		}
	}
}

// flush writes what was used since the last time: two transactions at most.
func (s *Service) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	var errKeys, errPeople error
	if at := s.usedKeys.take(); len(at) > 0 {
		errKeys = s.store.TouchKeys(ctx, at)
	}
	if at := s.seenPeople.take(); len(at) > 0 {
		errPeople = s.users.TouchUsers(ctx, at)
	}
	return errors.Join(errKeys, errPeople)
}

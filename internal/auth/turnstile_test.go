package auth

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
)

func TestTurnstile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := newTurnstile()
		if !gate.enter(t.Context()) {
			t.Fatal("the first one must pass")
		}
		left, leave := context.WithCancel(t.Context())
		var in sync.WaitGroup
		var most, now, passed int // guarded by the gate itself
		for i := range maxQueue {
			ctx := t.Context()
			if i == 0 {
				ctx = left
			}
			in.Go(func() {
				if !gate.enter(ctx) {
					return
				}
				now++
				most, passed = max(most, now), passed+1
				now--
				gate.leave()
			})
		}
		synctest.Wait()
		if gate.enter(t.Context()) {
			t.Error("the queue has no end")
		}
		leave()
		synctest.Wait()
		gate.leave()
		in.Wait()
		if most != 1 || passed != maxQueue-1 {
			t.Errorf("%d at once, %d passed", most, passed)
		}
		if !gate.enter(t.Context()) {
			t.Error("the gate stays shut")
		}
	})
}

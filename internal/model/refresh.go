package model

import (
	"context"
	"time"

	"portico/internal/provider"
)

const (
	// stale is the age of a good answer from which a caller rather waits for a
	// newer one, if the connection is alive.
	stale = 30 * time.Second
	// lateGrace is how long a caller who asked for the newest waits for a
	// connection that is known to be slow or down.
	lateGrace = 250 * time.Millisecond
	// resolveAge is how old lists get when nobody lists, only chats.
	resolveAge = 30 * time.Second
)

// wish is somebody's wait for one connection.
type wish struct {
	c      *conn
	asked  uint64 // how many askings had ended at that time
	until  time.Time
	joined bool // an asking that had begun before
}

// refreshDue asks the connections whose lists are old, behind the caller's
// back, and gives those whose answer is worth waiting for. It is cheap when
// nothing is due.
func (g *Registry) refreshDue(now time.Time) []wish {
	if now.UnixNano() < g.due.Load() && g.young.Load() == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.due.Store(now.Add(g.cfg.TTL).UnixNano())
	var wishes []wish
	for _, c := range g.conns {
		if !c.askable() {
			continue
		}
		joined := c.running
		if now.Sub(c.started) >= g.cfg.TTL && !now.Before(c.retry) {
			g.ask(c)
		}
		if c.running && !c.late && now.Sub(c.answered) > stale {
			wishes = append(wishes, wish{c, c.asked, now.Add(g.cfg.Patience), joined})
		}
	}
	return wishes
}

// refreshAll asks every connection, resting or not, and gives a wish for each.
func (g *Registry) refreshAll(now time.Time) []wish {
	g.mu.Lock()
	defer g.mu.Unlock()
	var wishes []wish
	for _, c := range g.conns {
		if !c.askable() {
			continue
		}
		joined := c.running
		g.ask(c)
		if c.running {
			wishes = append(wishes, wish{c, c.asked, now.Add(g.patience(c)), joined})
		}
	}
	return wishes
}

// running gives a wish for each connection that is being asked, and asks nobody.
func (g *Registry) running(now time.Time) []wish {
	g.mu.Lock()
	defer g.mu.Unlock()
	var wishes []wish
	for _, c := range g.conns {
		if c.askable() && c.running && !c.late {
			wishes = append(wishes, wish{c, c.asked, now.Add(g.patience(c)), true})
		}
	}
	return wishes
}

// patience is how long it makes sense to wait for c: as long as it may take,
// when nothing is known of it.
func (g *Registry) patience(c *conn) time.Duration {
	switch {
	case c.late:
		return lateGrace
	case c.answered.IsZero():
		return g.cfg.ListTimeout
	}
	return g.cfg.Patience
}

// wait waits until every wish has come true or its time is over, or enough
// says that it need not go on. Who was waited for in vain counts as late.
func (g *Registry) wait(ctx context.Context, wishes []wish, enough func() bool) {
	for len(wishes) > 0 {
		g.mu.Lock()
		left, next := wishes[:0:0], time.Time{}
		now := g.cfg.Now()
		for _, w := range wishes {
			if w.c.asked != w.asked || w.c.gone {
				continue
			}
			if !now.Before(w.until) {
				w.c.late = true
				continue
			}
			if next.IsZero() || w.until.Before(next) {
				next = w.until
			}
			left = append(left, w)
		}
		g.tally()
		news := g.news
		g.mu.Unlock()
		wishes = left
		if len(wishes) == 0 || enough() {
			return
		}
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-news:
		case <-timer.C:
		case <-ctx.Done():
			wishes = nil
		case <-g.ctx.Done():
			wishes = nil
		}
		timer.Stop()
	}
}

// Refresh asks one connection now, and waits for its answer: for whoever has
// just changed what is there (a model was pulled, copied or deleted).
func (g *Registry) Refresh(ctx context.Context, kind provider.Kind, index int) {
	for range 2 { // an asking that was under way may have missed the change
		g.mu.Lock()
		var wishes []wish
		for _, c := range g.conns {
			if c.backend.Kind == kind && c.backend.Index == index && c.askable() {
				joined := c.running
				g.ask(c)
				wishes = append(wishes, wish{c, c.asked, g.cfg.Now().Add(g.cfg.Patience), joined})
			}
		}
		g.mu.Unlock()
		g.wait(ctx, wishes, never)
		if len(wishes) == 0 || !wishes[0].joined {
			return
		}
	}
}

func never() bool { return false }

// bucket lets a few pass at once and then one for each interval.
type bucket struct {
	size  int
	every time.Duration
	full  time.Time // when it will be full again
}

// take is to be called with a lock held.
func (b *bucket) take(now time.Time) bool {
	if b.full.Before(now) {
		b.full = now
	}
	if b.full.Sub(now) > time.Duration(b.size-1)*b.every {
		return false
	}
	b.full = b.full.Add(b.every)
	return true
}

package retrieval

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"portico/internal/retrieval/index"
)

// The pace of a follower.
const (
	followLimit = 64               // sets asked for at once
	followEvery = 15 * time.Second // though nobody told of any
	indexPause  = time.Second      // after a fault of an index; twice as long after each further one
	indexRest   = time.Minute      // at most
)

// follower brings what became visible into an index, in the order in which it
// did, whoever made it: this server or another one. Only it writes there.
type follower struct {
	name  string
	start func() int64
	after func(ctx context.Context, seq int64, limit int) ([]Set, error)
	seqOf func(Set) int64
	add   func(ctx context.Context, set Set) error
	wake  chan struct{}

	mu      sync.Mutex
	seq     int64
	turn    int   // counts how often it went back
	caught  bool  // it has once had everything since it began
	fault   error // of the last attempt
	changed chan struct{}
}

func newFollower(name string, start func() int64, after func(context.Context, int64, int) ([]Set, error),
	seqOf func(Set) int64, add func(context.Context, Set) error) *follower {
	return &follower{name: name, start: start, after: after, seqOf: seqOf, add: add,
		wake: make(chan struct{}, 1), changed: make(chan struct{})}
}

func (f *follower) nudge() { signal(f.wake) }

// run follows until ctx ends.
func (f *follower) run(ctx context.Context, log *slog.Logger) {
	f.advance(0, f.start(), false)
	rest := indexPause
	for ctx.Err() == nil {
		n, err := f.step(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("an index cannot take what is new; searches go on without it, and it is tried again", "index", f.name, "err", err)
			f.restart()
			f.failed(err)
			pause(ctx, nil, rest)
			rest = min(2*rest, indexRest)
		case n == 0:
			rest = indexPause
			pause(ctx, f.wake, followEvery)
		default:
			rest = indexPause
		}
	}
}

// step adds the next sets and gives how many there were.
func (f *follower) step(ctx context.Context) (int, error) {
	at, turn := f.at()
	sets, err := f.after(ctx, at, followLimit)
	if err != nil {
		return 0, err
	}
	for _, set := range sets {
		if err := f.add(ctx, set); err != nil {
			return 0, err
		}
		f.advance(turn, f.seqOf(set), false)
	}
	if len(sets) == 0 {
		f.advance(turn, at, true)
	}
	return len(sets), nil
}

func (f *follower) at() (seq int64, turn int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seq, f.turn
}

func (f *follower) failed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = err
}

// advance notes what was reached, unless the follower went back since the turn
// in which it began.
func (f *follower) advance(turn int, seq int64, caught bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if turn != f.turn {
		return
	}
	f.fault = nil
	f.caught = f.caught || caught
	if seq > f.seq || caught {
		f.seq = max(f.seq, seq)
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// restart goes back to what the index has kept: one that turned out broken
// begins from nothing. What it has already, it takes again without effect.
func (f *follower) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kept := f.start(); kept < f.seq {
		f.seq, f.caught = kept, false
		f.turn++
	}
	signal(f.wake)
}

// behind reports whether searches may miss what was there before the start.
func (f *follower) behind() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.caught || f.fault != nil
}

// wait returns when everything up to seq is in the index.
func (f *follower) wait(ctx context.Context, seq int64) error {
	for {
		f.mu.Lock()
		at, changed := f.seq, f.changed
		f.mu.Unlock()
		if at >= seq {
			return nil
		}
		f.nudge()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

// addText brings a set's words into the lexical index.
func (s *Service) addText(ctx context.Context, set Set) error {
	var texts []index.Text
	for len(texts) < set.Chunks {
		rows, err := s.cfg.Store.Chunks(ctx, set.ID, len(texts), 1024)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil // deleted meanwhile
		}
		for _, r := range rows {
			texts = append(texts, index.Text{Text: r.Text, Context: r.Context})
		}
	}
	return s.cfg.Lexical.Add(ctx, set.ID, set.TextSeq, texts)
}

var errTorn = errors.New("retrieval: a set has not as many vectors as chunks")

// addVectors brings a set's vectors into the vector index.
func (s *Service) addVectors(ctx context.Context, set Set) error {
	var all []float32
	dims := 0
	err := s.cfg.Store.Vectors(ctx, set.ID, 0, func(_ int, vectors []float32) error {
		all = append(all, vectors...)
		return nil
	})
	if err != nil {
		return err
	}
	if len(all) == 0 || set.Chunks == 0 {
		return nil // deleted meanwhile
	}
	if dims = len(all) / set.Chunks; dims*set.Chunks != len(all) {
		return errTorn
	}
	return s.cfg.Vectors.Add(ctx, set.ID, set.VectorSeq, set.Space, dims, all)
}

// pause waits for a signal, a time, or the end. A nil signal never comes.
func pause(ctx context.Context, signal <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-signal:
	case <-t.C:
	}
}

package chat

import (
	"time"

	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/relay"
)

// tries is how many backends are asked at most: one more after a connection
// that failed before its first byte.
const tries = 2

var errNoBackend = errdefs.New(errdefs.Unavailable, "No connection serves this model at the moment.")

var errFull = errdefs.New(errdefs.RateLimited, "The server carries as many streams as it can. Try again in a moment.").WithRetryAfter(2 * time.Second)

// call asks the backends of the model, one after the other, until one answers.
func (t *turn) call() error {
	t.ctx = t.r.Context()
	if t.req.Stream {
		if most := int64(t.s.cfg.Streams); t.s.streams.Add(1) > most && most > 0 {
			t.s.streams.Add(-1)
			return errFull
		}
		t.life, t.leave = relay.Context(t.r)
		t.ctx = t.life
	}
	if t.saved != nil {
		t.ctx = t.saved.under(t.ctx)
	}
	err := t.ask()
	if err != nil && t.saved != nil && t.saved.stopped() {
		err = errStopped
	}
	if t.req.Stream && (err != nil || t.reply.Stream == nil) {
		t.s.streams.Add(-1)
	}
	return err
}

func (t *turn) ask() error {
	return t.try(func(b *provider.Backend) (*provider.Reply, error) { return b.Chat(t.ctx, &t.req) })
}

// try asks backends in the order of their health and load. Another one is
// asked only where the first cannot have begun to answer.
func (t *turn) try(ask func(*provider.Backend) (*provider.Reply, error)) error {
	var err error = errNoBackend
	order := provider.Choose(t.target.Backends, t.s.cfg.Now())
	for _, b := range order[:min(len(order), tries)] {
		done := b.Begin()
		var reply *provider.Reply
		if reply, err = ask(b); err == nil {
			t.reply, t.backend = reply, done
			return nil
		}
		done(err)
		if !provider.MayRetry(err) {
			return err
		}
	}
	return err
}

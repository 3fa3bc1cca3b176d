package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"portico/internal/event"
)

// What bounds how long a cache may be wrong after the connection broke: a dead
// peer is noticed within heartbeat + answerIn, and from then on everything
// cached is dropped every resetEvery.
const (
	heartbeat  = 400 * time.Millisecond
	answerIn   = 400 * time.Millisecond
	resetEvery = 500 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// listener holds the one connection on which other servers are heard.
type listener struct {
	cfg    *pgx.ConnConfig
	origin string
	bus    *event.Bus
	log    *slog.Logger
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// listen returns once changes are heard, and keeps hearing until close.
func listen(ctx context.Context, cfg *pgx.ConnConfig, origin string, opt Options) (*listener, error) {
	cfg = cfg.Copy()
	cfg.RuntimeParams["application_name"] = "portico listener"
	l := &listener{cfg: cfg, origin: origin, bus: opt.Bus, log: opt.Log}
	conn, err := l.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not let us listen for changes of other servers: %s", reason(err))
	}
	ctx, l.stop = context.WithCancel(context.Background())
	l.done.Go(func() { l.run(ctx, conn) })
	return l, nil
}

func (l *listener) close() {
	l.stop()
	l.done.Wait()
}

func (l *listener) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.ConnectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, l.cfg)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `LISTEN portico`); err != nil {
		hangUp(conn)
		return nil, err
	}
	return conn, nil
}

func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), answerIn)
	defer cancel()
	conn.Close(ctx)
}

// run hears until ctx ends. While it cannot, it fails closed.
func (l *listener) run(ctx context.Context, conn *pgx.Conn) {
	for {
		err := l.hear(ctx, conn)
		hangUp(conn)
		if ctx.Err() != nil {
			return
		}
		l.log.Warn("listening for changes of other servers broke off; nothing is cached meanwhile", "reason", reason(err))
		if conn = l.reconnect(ctx); conn == nil {
			return
		}
		l.log.Info("listening for changes of other servers again")
	}
}

// hear delivers notifications until the connection breaks. Silence is checked
// with a heartbeat, since a vanished network says nothing.
func (l *listener) hear(ctx context.Context, conn *pgx.Conn) error {
	for {
		wait, cancel := context.WithTimeout(ctx, heartbeat)
		n, err := conn.WaitForNotification(wait)
		cancel()
		if err == nil {
			for _, e := range unpack(l.origin, n.Payload) {
				l.bus.Publish(e)
			}
			continue
		}
		if ctx.Err() != nil || conn.IsClosed() {
			return err
		}
		answer, cancel := context.WithTimeout(ctx, answerIn)
		err = conn.Ping(answer)
		cancel()
		if err != nil {
			return err
		}
	}
}

// reconnect tries until it listens again, or ctx ends (nil). It resets the
// caches at once, while it tries, and once more when it listens: only then is
// what they load known to be kept current.
func (l *listener) reconnect(ctx context.Context) *pgx.Conn {
	ctx, cancel := context.WithCancel(ctx)
	var resets sync.WaitGroup
	resets.Go(func() {
		tick := time.NewTicker(resetEvery)
		defer tick.Stop()
		for {
			l.bus.Publish(event.Event{Topic: event.Reset})
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	conn := l.dial(ctx)
	cancel()
	resets.Wait()
	if conn != nil {
		l.bus.Publish(event.Event{Topic: event.Reset})
	}
	return conn
}

func (l *listener) dial(ctx context.Context) *pgx.Conn {
	for backoff := 25 * time.Millisecond; ; backoff = min(2*backoff, maxBackoff) {
		conn, err := l.connect(ctx)
		if err == nil {
			return conn
		}
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return nil
		}
	}
}

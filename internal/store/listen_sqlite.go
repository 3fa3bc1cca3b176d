package store

import (
	"context"
	"sync"
	"time"

	"portico/internal/event"
)

// lookEvery is how often a server looks whether another process (one of the
// command's verbs, or somebody with sqlite3) has written to its file. It
// bounds how long a revoked key may still work (docs/adr/0005-verbs.md).
const lookEvery = 500 * time.Millisecond

// dataVersion changes when another connection commits, and never by what its
// own connection commits. It reads a counter in shared memory: no disk.
const dataVersion = `PRAGMA data_version`

// watcher tells the bus when another process wrote.
type watcher struct {
	db   *DB
	stop context.CancelFunc
	done sync.WaitGroup

	conn    any // the connection that said version: those of others compare with nothing
	version int64
}

// watch looks once, before anything is read into a cache, and goes on until
// close.
func watch(ctx context.Context, db *DB) (*watcher, error) {
	w := &watcher{db: db}
	if _, err := w.look(ctx); err != nil {
		return nil, err
	}
	ctx, w.stop = context.WithCancel(context.Background())
	w.done.Go(func() { w.run(ctx) })
	return w, nil
}

func (w *watcher) close() {
	w.stop()
	w.done.Wait()
}

// run looks until ctx ends. While it cannot, nothing stays cached.
func (w *watcher) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for failing := false; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		changed, err := w.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			w.db.opt.Log.Warn("the database does not say whether others wrote to it; nothing is cached meanwhile", "reason", err)
		}
		failing = err != nil
		if changed || failing {
			w.db.opt.Bus.Publish(event.Event{Topic: event.Reset})
		}
	}
}

// look asks the connection that writes, since only its own commits count as
// ours. It waits for a transaction that is under way.
func (w *watcher) look(ctx context.Context) (changed bool, err error) {
	conn, err := w.db.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	var version int64
	if err := conn.QueryRowContext(ctx, dataVersion).Scan(&version); err != nil {
		return false, err
	}
	err = conn.Raw(func(driver any) error {
		changed = w.conn != driver || w.version != version
		w.conn, w.version = driver, version
		return nil
	})
	return changed, err
}

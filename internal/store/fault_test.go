package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/errdefs"
	"portico/internal/store"
)

// TestDiskFull: writes are refused as not available, reads go on.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	db := open(t, engines[0].url(t), store.Options{})
	if _, err := db.Writer().Exec("PRAGMA max_page_count = 1"); err != nil { // no page more than there are
		t.Fatal(err)
	}
	err := db.SetSettings(t.Context(), map[string][]byte{"a": []byte(strings.Repeat("x", 1<<20))})
	if !errdefs.Is(err, errdefs.Unavailable) || !strings.Contains(errdefs.From(err).Detail, "full") {
		t.Errorf("got %v", err)
	}
	if all, err := db.Settings(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v", all, err)
	}
}

// TestServerAway cuts the line to PostgreSQL, and mends it.
func TestServerAway(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(engines[2].url(t))
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, u.Host)
	u.Host = p.addr()
	db := open(t, u.String(), store.Options{})
	p.cut(true)
	for _, call := range []func() error{
		func() error { return db.Ping(t.Context()) },
		func() error { return db.SetSettings(t.Context(), map[string][]byte{"a": []byte("1")}) },
		func() error { return db.Tx(t.Context(), func(context.Context) error { return nil }) },
	} {
		var e *errdefs.Error
		if err := call(); !errors.As(err, &e) || e.Kind != errdefs.Unavailable || e.RetryAfter <= 0 {
			t.Errorf("got %v", err)
		}
	}
	p.cut(false)
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestDeadlock lets two transactions wait for each other: one of them is
// ended by PostgreSQL, runs again, and neither caller notices.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	db := open(t, engines[2].url(t), store.Options{})
	set := func(ctx context.Context, name string) error {
		return db.SetSettings(ctx, map[string][]byte{name: []byte("1")})
	}
	for _, name := range []string{"a", "b"} {
		if err := set(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	var both, all sync.WaitGroup
	both.Add(2)
	runs := make(chan bool, 10)
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		all.Go(func() {
			var once sync.Once
			err := db.Tx(t.Context(), func(ctx context.Context) error {
				runs <- true
				if err := set(ctx, order[0]); err != nil {
					return err
				}
				once.Do(func() { both.Done(); both.Wait() })
				return set(ctx, order[1])
			})
			if err != nil {
				t.Errorf("%v: %v", order, err)
			}
		})
	}
	all.Wait()
	if len(runs) < 3 {
		t.Errorf("%d runs: there was no deadlock", len(runs))
	}
}

// TestCancelledMidway stops a statement that runs.
func TestCancelledMidway(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			db := open(t, engine.url(t), store.Options{})
			slow := `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n`
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			start := time.Now()
			var n int
			err := db.Writer().QueryRowContext(ctx, slow).Scan(&n)
			if err == nil || time.Since(start) > 5*time.Second {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
			// What is in memory must still be there.
			if err := db.SetSettings(t.Context(), map[string][]byte{"a": []byte("1")}); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
	// A transaction whose caller leaves is undone.
	db := open(t, "sqlite://:memory:", store.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Tx(ctx, func(ctx context.Context) error {
		if err := db.SetSettings(ctx, map[string][]byte{"a": []byte("1")}); err != nil {
			return err
		}
		cancel()
		return db.SetSettings(ctx, map[string][]byte{"b": []byte("1")})
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if all, err := db.Settings(t.Context()); err != nil || len(all) != 0 {
		t.Error(fmt.Sprint(all), err)
	}
}

package store_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/auth"
	"portico/internal/event"
	"portico/internal/store"
	"portico/internal/user"
)

// heard is how long another server may take to know of a change.
const heard = time.Second

// replica is a server with something cached: its events, to be waited for.
type replica struct {
	*store.DB
	events chan event.Event
}

func newReplica(t *testing.T, url string) *replica {
	t.Helper()
	bus := new(event.Bus)
	r := &replica{events: make(chan event.Event, 1000)}
	t.Cleanup(bus.Subscribe(func(e event.Event) { r.events <- e }))
	r.DB = open(t, url, store.Options{Bus: bus})
	return r
}

// hears waits for an event, dropping others.
func (r *replica) hears(t *testing.T, want event.Event) {
	t.Helper()
	deadline := time.After(heard)
	for {
		select {
		case e := <-r.events:
			if e == want {
				return
			}
		case <-deadline:
			t.Fatalf("%v was not heard within %v", want, heard)
		}
	}
}

// hearsNothing checks that no event is waiting. Ask it after an event of the
// other server arrived: notifications keep their order.
func (r *replica) hearsNothing(t *testing.T) {
	t.Helper()
	select {
	case e := <-r.events:
		t.Errorf("heard %v", e)
	default:
	}
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	url := engines[2].url(t)
	a, b := newReplica(t, url), newReplica(t, url)
	ctx := t.Context()
	owner := &user.User{ID: "u", Role: user.Admin}
	key := &auth.Key{ID: "k", UserID: "u", Name: "n", Hash: [32]byte{1}}
	for _, c := range []struct {
		change func() error
		want   event.Event
	}{
		{func() error { return a.CreateUser(ctx, owner, "h", "s", true) }, event.Event{Topic: event.User, ID: "u"}},
		{func() error {
			if err := a.CreateKey(ctx, key, false); err != nil {
				return err
			}
			return a.DeleteKey(ctx, "u", "k")
		}, event.Event{Topic: event.Key, ID: fmt.Sprintf("%x", key.Hash)}},
		{func() error {
			return a.SetGrants(ctx, access.Model, "m", []access.Grant{{PrincipalType: "user", PrincipalID: "*", Permission: "read"}})
		}, event.Event{Topic: event.Grant, ID: "model/m"}},
		{func() error { return a.SetSettings(ctx, map[string][]byte{"ui.x": []byte("1")}) }, event.Event{Topic: event.Setting, ID: "ui.x"}},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		b.hears(t, c.want)
		a.hears(t, c.want) // its own, at once
	}
	if err := b.SetStamp(ctx, "u", "t"); err != nil {
		t.Fatal(err)
	}
	a.hears(t, event.Event{Topic: event.User, ID: "u"})
	a.hearsNothing(t) // none of its own came back before it
	b.hears(t, event.Event{Topic: event.User, ID: "u"})
	b.hearsNothing(t)

	// What is undone is not told.
	broken := fmt.Errorf("undone")
	if err := a.Tx(ctx, func(ctx context.Context) error {
		if err := a.SetStamp(ctx, "u", "never"); err != nil {
			return err
		}
		return broken
	}); err != broken {
		t.Errorf("got %v", err)
	}
	if err := a.SetSettings(ctx, map[string][]byte{"last": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if e := <-b.events; e.ID != "last" {
		t.Errorf("heard %v", e)
	}
}

// TestManyChanges packs what one payload of PostgreSQL cannot hold.
func TestManyChanges(t *testing.T) {
	t.Parallel()
	url := engines[2].url(t)
	a, b := newReplica(t, url), newReplica(t, url)
	change := func(n int) {
		values := make(map[string][]byte, n)
		for i := range n {
			values[fmt.Sprintf("some.dotted.key.of.usual.length.%06d", i)] = []byte("1")
		}
		if err := a.SetSettings(t.Context(), values); err != nil {
			t.Fatal(err)
		}
		for range n {
			<-a.events
		}
	}
	const some = 900
	change(some)
	for i := range some {
		b.hears(t, event.Event{Topic: event.Setting, ID: fmt.Sprintf("some.dotted.key.of.usual.length.%06d", i)})
	}
}

// TestListenerKilled ends the connections that listen, keeps them from coming
// back, and changes something meanwhile.
func TestListenerKilled(t *testing.T) {
	t.Parallel()
	dsn := engines[2].url(t)
	a, b := newReplica(t, dsn), newReplica(t, dsn)
	reset := event.Event{Topic: event.Reset}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	allow := func(yes bool) {
		t.Helper()
		// From another database, since a closed one cannot be entered.
		admin := *u
		admin.Path = "/postgres"
		db := open(t, admin.String(), store.Options{})
		defer db.Close()
		if _, err := db.Writer().ExecContext(t.Context(), fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS %t", u.Path[1:], yes)); err != nil {
			t.Fatal(err)
		}
	}
	kill := func() {
		t.Helper()
		var n int
		err := a.Writer().QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE application_name = 'portico listener' AND datname = current_database()`).Scan(&n)
		if err != nil || n != 2 {
			t.Fatalf("killed %d listeners, %v", n, err)
		}
	}
	change := func(name string) {
		t.Helper()
		if err := a.SetSettings(t.Context(), map[string][]byte{name: []byte("1")}); err != nil {
			t.Fatal(err)
		}
	}

	// It comes back: what is changed in between is covered by a reset after it.
	kill()
	b.hears(t, reset)
	change("between")
	select {
	case e := <-b.events:
		if e != reset && e.ID != "between" {
			t.Errorf("heard %v", e)
		}
	case <-time.After(heard):
		t.Error("a change made while the listener was down was not noticed")
	}
	listening(t, a.DB)
	change("after")
	b.hears(t, event.Event{Topic: event.Setting, ID: "after"})

	// It cannot come back: caches are dropped again and again.
	allow(false)
	kill()
	b.hears(t, reset)
	change("meanwhile")
	for range 3 {
		b.hears(t, reset)
	}
	allow(true)
	listening(t, a.DB)
	change("again")
	b.hears(t, event.Event{Topic: event.Setting, ID: "again"})
}

// listening waits until both replicas listen again.
func listening(t *testing.T, db *store.DB) {
	t.Helper()
	for range 500 {
		var n int
		if err := db.Writer().QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE application_name = 'portico listener' AND datname = current_database() AND (query LIKE 'LISTEN%' OR query LIKE '-- ping%')`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the listeners did not come back")
}

// TestNetworkGone lets packets vanish: nothing tells either side.
func TestNetworkGone(t *testing.T) {
	t.Parallel()
	dsn := engines[2].url(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, u.Host)
	u.Host = p.addr()
	near, far := newReplica(t, dsn), newReplica(t, u.String())
	p.gate.Lock() // from now on nothing passes
	far.hears(t, event.Event{Topic: event.Reset})
	if err := near.SetSettings(t.Context(), map[string][]byte{"x": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	far.hears(t, event.Event{Topic: event.Reset})
	p.gate.Unlock()
}

// TestQuietListener: silence alone is no reason to drop anything.
func TestQuietListener(t *testing.T) {
	t.Parallel()
	r := newReplica(t, engines[2].url(t))
	time.Sleep(1500 * time.Millisecond) // three heartbeats
	r.hearsNothing(t)
}

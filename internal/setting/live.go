package setting

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/errdefs"
	"portico/internal/event"
)

// reloadTimeout bounds one reading of the store after somebody else's change.
const reloadTimeout = 10 * time.Second

// Settings is the live view: what every key is worth at this moment. Reading
// takes no lock and allocates nothing.
type Settings struct {
	store  Store
	pins   map[string]Pin
	keys   map[string]Descriptor
	cancel func() // of the subscription

	now atomic.Pointer[view]

	mu     sync.Mutex // held while the store is read and the view replaced
	stored map[string][]byte
	watch  map[int]func(names []string)
	next   int

	setting atomic.Int64 // calls of Set that are writing and will read afterwards
	pending atomic.Int64 // changes that are not yet read
	closed  context.Context
	close   context.CancelFunc
	life    sync.Mutex // orders the start of work and its end
	work    sync.WaitGroup
}

// view is one state of all settings. It is never changed.
type view struct {
	values  map[string]any
	origins map[string]Origin
	faults  map[string]error
}

// New reads the store and keeps the view current with the events of bus, which
// may be nil. A stored value that makes no sense is left aside: its key keeps
// the default, and Faults says so.
func New(ctx context.Context, store Store, pins map[string]Pin, bus *event.Bus) (*Settings, error) {
	s := &Settings{store: store, pins: maps.Clone(pins), keys: map[string]Descriptor{}, watch: map[int]func([]string){}, cancel: func() {}}
	for _, d := range All() {
		s.keys[d.Name] = d
	}
	s.closed, s.close = context.WithCancel(context.Background())
	if bus != nil {
		s.cancel = bus.Subscribe(s.heard)
	}
	if _, err := s.reload(ctx, nil); err != nil {
		s.Close()
		return nil, fmt.Errorf("the settings cannot be read: %w", err)
	}
	return s, nil
}

// Close ends the subscription and waits for what runs.
func (s *Settings) Close() {
	s.cancel()
	s.life.Lock()
	s.close()
	s.life.Unlock()
	s.work.Wait()
}

// Get is the value of a key. Lists and JSON are shared: do not change them.
func Get[T any](s *Settings, k Key[T]) T {
	if v, ok := s.now.Load().values[k.Name].(T); ok {
		return v
	}
	return k.Default
}

// Origin says where the value of a key comes from and, when it is pinned,
// which variable holds it.
func (s *Settings) Origin(name string) (Origin, string) {
	if pin, ok := s.pins[name]; ok {
		return pin.Origin, pin.Variable
	}
	if o, ok := s.now.Load().origins[name]; ok {
		return o, ""
	}
	return FromDefault, ""
}

// Raw is the value of a key as JSON, for lists of all of them. Secrets are in
// clear in it.
func (s *Settings) Raw(name string) []byte {
	v, ok := s.now.Load().values[name]
	if !ok {
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return raw
}

// Faults are the stored values that make no sense, by key.
func (s *Settings) Faults() map[string]error { return maps.Clone(s.now.Load().faults) }

// Watch calls fn, after the view has changed, with the names of the keys that
// have another value than before. fn must be quick and must not call Set.
func (s *Settings) Watch(fn func(names []string)) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	id := s.next
	s.watch[id] = fn
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watch, id)
	}
}

// Set stores values, by dotted name, all or none. A value that is pinned may
// only be given as it is: another one gives errdefs.Conflict, which names the
// variable. When Set returns, Get gives the new values.
func (s *Settings) Set(ctx context.Context, values map[string]any) error {
	stored, err := s.encode(values)
	if err != nil || len(stored) == 0 {
		return err
	}
	s.setting.Add(1)
	err = s.store.SetSettings(ctx, stored)
	s.setting.Add(-1)
	if err != nil {
		s.heard(event.Event{Topic: event.Reset}) // what was heard meanwhile is still to be read
		return err
	}
	// What was stored holds even if the caller leaves now.
	_, err = s.reload(context.WithoutCancel(ctx), stored)
	return err
}

// encode checks values and gives those that are to be stored.
func (s *Settings) encode(values map[string]any) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		d, ok := s.keys[name]
		if !ok {
			return nil, errdefs.Newf(errdefs.Invalid, "There is no setting %q.", name)
		}
		raw, err := json.Marshal(values[name])
		if err != nil {
			return nil, errdefs.Newf(errdefs.Invalid, "The setting %s is no JSON.", name)
		}
		if _, err := d.decode(raw); err != nil {
			return nil, errdefs.Newf(errdefs.Invalid, "The setting %s %s.", name, err)
		}
		if pin, pinned := s.pins[name]; pinned {
			if !d.same(raw, pin.Value) {
				return nil, pinConflict("The setting "+name, pin)
			}
			continue
		}
		if name == permissionsName {
			if err := permissionConflict(raw, s.pins); err != nil {
				return nil, err
			}
		}
		out[name] = raw
	}
	return out, nil
}

// heard is told of every event. It reads nothing itself: a publisher may hold
// what reading needs.
func (s *Settings) heard(e event.Event) {
	if e.Topic != event.Setting && e.Topic != event.Reset {
		return
	}
	if s.setting.Load() > 0 || s.pending.Add(1) > 1 {
		return // somebody is at it, and will look afterwards
	}
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed.Err() == nil {
		s.work.Go(s.follow)
	}
}

// follow reads the store until no change is left that came after the reading.
func (s *Settings) follow() {
	for seen := s.pending.Load(); ; {
		ctx, cancel := context.WithTimeout(s.closed, reloadTimeout)
		_, err := s.reload(ctx, nil)
		cancel()
		if err != nil && s.closed.Err() == nil {
			// Nothing is lost: what we have stays, and we ask again.
			select {
			case <-s.closed.Done():
			case <-time.After(time.Second):
			}
			continue
		}
		if s.closed.Err() != nil || s.pending.CompareAndSwap(seen, 0) {
			return
		}
		seen = s.pending.Load()
	}
}

// reload reads the store and replaces the view. When the store cannot be read,
// written, which it has just accepted, is put over what was read last.
func (s *Settings) reload(ctx context.Context, written map[string][]byte) (changed []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.store.Settings(ctx)
	switch {
	case err == nil:
	case written != nil:
		stored = maps.Clone(s.stored)
		if stored == nil {
			stored = map[string][]byte{}
		}
		maps.Copy(stored, written)
	default:
		return nil, err
	}
	s.stored = stored
	old, next := s.now.Load(), s.build(stored)
	s.now.Store(next)
	for name := range s.keys {
		if old == nil || !equal(old.values[name], next.values[name]) {
			changed = append(changed, name)
		}
	}
	if old != nil && len(changed) > 0 {
		slices.Sort(changed)
		for _, fn := range s.watch {
			fn(changed)
		}
	}
	return changed, nil
}

func equal(a, b any) bool {
	switch x := a.(type) {
	case []string:
		y, ok := b.([]string)
		return ok && slices.Equal(x, y)
	case json.RawMessage:
		y, ok := b.(json.RawMessage)
		return ok && bytes.Equal(x, y)
	}
	return a == b
}

// build decodes every key: pinned, else stored, else default.
func (s *Settings) build(stored map[string][]byte) *view {
	v := &view{values: map[string]any{}, origins: map[string]Origin{}, faults: map[string]error{}}
	for name, d := range s.keys {
		raw, origin := d.Default, FromDefault
		if kept, ok := stored[name]; ok {
			if _, err := d.decode(kept); err != nil {
				v.faults[name] = fmt.Errorf("the stored value of %s is not used: it %w", name, err)
			} else {
				raw, origin = kept, FromStore
			}
		}
		if pin, ok := s.pins[name]; ok {
			raw, origin = pin.Value, pin.Origin
		}
		if name == permissionsName {
			if full, err := completePermissions(raw, s.pins); err == nil {
				raw = full
			}
		}
		val, err := d.decode(raw)
		if err != nil { // a pin that ParsePins did not make
			v.faults[name] = fmt.Errorf("the value of %s is not used: it %w", name, err)
			if val, err = d.decode(d.Default); err != nil {
				continue // Get falls back to the same default
			}
			origin = FromDefault
		}
		v.values[name], v.origins[name] = val, origin
	}
	return v
}

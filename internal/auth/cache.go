package auth

import (
	"context"
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// cache holds what was read from the database until an event says that it
// changed. It is bounded, and safe for concurrent use.
//
// A value that was read while it changed must not stay: each load notes the
// epoch before it reads and keeps the result only if the epoch is still the
// same. Dropping first moves the epoch, then removes: so either the load sees
// the new epoch, or its value is there to be removed.
type cache[K comparable, V any] struct {
	epoch   atomic.Uint64
	loads   atomic.Uint64 // what was not there and had to be read
	perPart int
	part    func(K) uint8
	parts   [parts]struct {
		hits    atomic.Uint64 // beside the lock, which is written anyway
		mu      sync.RWMutex
		values  map[K]V
		flights map[K]*flight[V]
	}
}

// parts is how many locks a cache has. A power of two.
const parts = 64

// loadTimeout bounds one read of the database for many waiting requests.
const loadTimeout = 10 * time.Second

// flight is a load that several callers wait for.
type flight[V any] struct {
	epoch uint64
	done  chan struct{}
	value V
	err   error
}

func newCache[K comparable, V any](limit int, part func(K) uint8) *cache[K, V] {
	c := &cache[K, V]{perPart: max(1, limit/parts), part: part}
	for i := range c.parts {
		c.parts[i].values = map[K]V{}
		c.parts[i].flights = map[K]*flight[V]{}
	}
	return c
}

// get finds a value in memory.
func (c *cache[K, V]) get(k K) (V, bool) {
	p := &c.parts[c.part(k)%parts]
	p.mu.RLock()
	v, ok := p.values[k]
	p.mu.RUnlock()
	if ok {
		p.hits.Add(1)
	}
	return v, ok
}

// counts gives how often a value was found in memory, and how often it was read.
func (c *cache[K, V]) counts() (hits, loads uint64) {
	for i := range c.parts {
		hits += c.parts[i].hits.Load()
	}
	return hits, c.loads.Load()
}

// load finds a value in memory or reads it. Callers that come while it is
// being read wait for that read, unless something changed since it began.
// Errors are not kept.
func (c *cache[K, V]) load(ctx context.Context, k K, read func(context.Context) (V, error)) (V, error) {
	p := &c.parts[c.part(k)%parts]
	p.mu.Lock()
	if v, ok := p.values[k]; ok {
		p.mu.Unlock()
		return v, nil
	}
	epoch := c.epoch.Load()
	if f := p.flights[k]; f != nil && f.epoch == epoch {
		p.mu.Unlock()
		select {
		case <-f.done:
			return f.value, f.err
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		}
	}
	f := &flight[V]{epoch: epoch, done: make(chan struct{})}
	p.flights[k] = f
	p.mu.Unlock()

	c.loads.Add(1)
	// The first caller may leave; the others still want the answer.
	rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	f.value, f.err = read(rctx)

	p.mu.Lock()
	if p.flights[k] == f {
		delete(p.flights, k)
	}
	if f.err == nil && c.epoch.Load() == epoch {
		c.makeRoom(p.values)
		p.values[k] = f.value
	}
	p.mu.Unlock()
	close(f.done)
	return f.value, f.err
}

// put keeps a value that does not come from the database.
func (c *cache[K, V]) put(k K, v V) {
	p := &c.parts[c.part(k)%parts]
	p.mu.Lock()
	c.makeRoom(p.values)
	p.values[k] = v
	p.mu.Unlock()
}

// makeRoom removes any one value when a part is full: which one hardly
// matters, since it is read again when it is asked for.
func (c *cache[K, V]) makeRoom(values map[K]V) {
	if len(values) < c.perPart {
		return
	}
	for k := range values {
		delete(values, k)
		return
	}
}

// drop forgets one value.
func (c *cache[K, V]) drop(k K) {
	c.epoch.Add(1)
	p := &c.parts[c.part(k)%parts]
	p.mu.Lock()
	delete(p.values, k)
	p.mu.Unlock()
}

// dropAll forgets the values that stale picks.
func (c *cache[K, V]) dropAll(stale func(V) bool) {
	c.epoch.Add(1)
	for i := range c.parts {
		p := &c.parts[i]
		p.mu.Lock()
		maps.DeleteFunc(p.values, func(_ K, v V) bool { return stale(v) })
		p.mu.Unlock()
	}
}

// reset forgets all values.
func (c *cache[K, V]) reset() {
	c.epoch.Add(1)
	for i := range c.parts {
		p := &c.parts[i]
		p.mu.Lock()
		clear(p.values)
		p.mu.Unlock()
	}
}

func shardOfHash(h [32]byte) uint8 { return h[0] }

func shardOfString(s string) uint8 { return uint8(maphash.String(seed, s)) }

// seed is fixed for the life of the process so that a string always lands in
// the same part.
var seed = maphash.MakeSeed()

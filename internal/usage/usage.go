// Package usage counts what answers cost: requests and tokens per person, key
// and model, in memory and with nothing but a shared read lock on the path of
// a chat. Keeping the counts is another room's work.
package usage

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// Key is what is counted by. KeyID is empty for callers without an API key.
type Key struct{ UserID, KeyID, Model string }

// Count is what was used under one Key.
type Count struct {
	Requests   int64 // answered or failed
	Errors     int64 // failed
	Prompt     int64 // tokens, as told by the upstreams
	Completion int64 // tokens, as told by the upstreams
}

// most is how many keys a shard keeps apart. What comes beyond is counted
// under the key that has only a model, and beyond twice that under the empty
// key, so that memory stays bounded and no sum is wrong.
const most = 8192

const shards = 16

// Recorder counts. Make it with New; it is safe for concurrent use.
type Recorder struct {
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu     sync.RWMutex
	counts map[Key]*counters
}

type counters struct{ requests, errors, prompt, completion atomic.Int64 }

// New makes an empty Recorder.
func New() *Recorder {
	r := &Recorder{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].counts = make(map[Key]*counters)
	}
	return r
}

// Add counts one request that is over. It allocates nothing for a key that was
// seen before.
func (r *Recorder) Add(k Key, failed bool, prompt, completion int64) {
	s := &r.shards[maphash.Comparable(r.seed, k)%shards]
	s.mu.RLock()
	c := s.counts[k]
	s.mu.RUnlock()
	if c == nil {
		c = s.add(k)
	}
	c.requests.Add(1)
	if failed {
		c.errors.Add(1)
	}
	c.prompt.Add(prompt)
	c.completion.Add(completion)
}

func (s *shard) add(k Key) *counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n := len(s.counts); {
	case n >= 2*most:
		k = Key{}
	case n >= most:
		k = Key{Model: k.Model}
	}
	c := s.counts[k]
	if c == nil {
		c = new(counters)
		s.counts[k] = c
	}
	return c
}

// Snapshot gives the counts so far, in no order.
func (r *Recorder) Snapshot() map[Key]Count {
	all := make(map[Key]Count)
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.RLock()
		for k, c := range s.counts {
			sum := all[k] // keys that overflowed are in more than one shard
			sum.Requests += c.requests.Load()
			sum.Errors += c.errors.Load()
			sum.Prompt += c.prompt.Load()
			sum.Completion += c.completion.Load()
			all[k] = sum
		}
		s.mu.RUnlock()
	}
	return all
}

package auth

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"portico/internal/errdefs"
)

// Limit allows N events in Per, spread or at once. A zero Limit is the default
// of its place; a negative N is no limit.
type Limit struct {
	N   int
	Per time.Duration
}

// Limits bound how often somebody may try to get in.
type Limits struct {
	Account     Limit // sign-ins of one e-mail address; 15 in 3 minutes
	Address     Limit // failed sign-ins from one address; 30 in 15 minutes
	SignUp      Limit // sign-ups from one address; 30 in 15 minutes
	UnknownKeys Limit // API keys that do not exist, from one address; 60 in a minute
}

type limits struct{ account, address, signUp, unknownKeys *rate }

func newLimits(l Limits, now func() time.Time) *limits {
	return &limits{
		account:     newRate(l.Account, Limit{15, 3 * time.Minute}, now),
		address:     newRate(l.Address, Limit{30, 15 * time.Minute}, now),
		signUp:      newRate(l.SignUp, Limit{30, 15 * time.Minute}, now),
		unknownKeys: newRate(l.UnknownKeys, Limit{60, time.Minute}, now),
	}
}

// rate counts events by name with one number each: the time at which the
// allowance of that name is full again (GCRA). It is bounded.
type rate struct {
	now   func() time.Time
	every time.Duration // one event is paid back in this time
	span  time.Duration // the whole allowance
	mu    sync.Mutex
	full  map[uint64]time.Time
}

// nameOf is what an address is counted by: with IPv6 its network, since one
// subscriber has all addresses of it.
func nameOf(a netip.Addr) string {
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.String()
	}
	return a.String()
}

// maxNames bounds the memory of a rate, about 5 MB.
const maxNames = 100_000

func newRate(l, fallback Limit, now func() time.Time) *rate {
	if l.N == 0 || l.Per <= 0 && l.N > 0 {
		l = fallback
	}
	if l.N < 0 {
		return &rate{}
	}
	return &rate{now: now, every: l.Per / time.Duration(l.N), span: l.Per, full: map[uint64]time.Time{}}
}

// take counts one event. It gives how long to wait when there were too many,
// and then counts nothing.
func (r *rate) take(name string) (wait time.Duration) {
	if r.full == nil {
		return 0
	}
	k := maphash.String(seed, name)
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	full, ok := r.full[k]
	if !ok {
		r.makeRoom(now)
	}
	if full.Before(now) {
		full = now
	}
	full = full.Add(r.every)
	if over := full.Sub(now) - r.span; over > 0 {
		return over
	}
	r.full[k] = full
	return 0
}

// give takes back one event, such as a sign-in that succeeded.
func (r *rate) give(name string) {
	if r.full == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k := maphash.String(seed, name)
	if full, ok := r.full[k]; ok {
		r.full[k] = full.Add(-r.every)
	}
}

// makeRoom forgets names whose allowance is full again, and when that is not
// enough, any: who has so many names at hand is not stopped by counting them.
// It makes much room at once, so that a flood of names rarely pays for it.
func (r *rate) makeRoom(now time.Time) {
	if len(r.full) < maxNames {
		return
	}
	for k, full := range r.full {
		if !full.After(now) {
			delete(r.full, k)
		}
	}
	for k := range r.full {
		if len(r.full) <= maxNames*3/4 {
			return
		}
		delete(r.full, k)
	}
}

// tooMany is the refusal of a rate.
func tooMany(what string, wait time.Duration) error {
	wait = max(time.Second, wait.Round(time.Second))
	return errdefs.Newf(errdefs.RateLimited, "%s Try again in %s.", what, wait).WithRetryAfter(wait)
}

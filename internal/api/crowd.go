package api

import (
	"net/netip"
	"sync"
	"time"

	"portico/internal/errdefs"
)

// Defaults of the limit on callers without a credential, per address.
const (
	defaultRate  = 10 // requests per second
	defaultBurst = 20
	maxCrowd     = 8192 // addresses that are remembered
)

// crowd limits callers without a credential, each address by a bucket of its
// own. It remembers a bounded number of addresses: those that have been quiet
// long enough for a full bucket need not be remembered, and when there are too
// many busy ones, any one is forgotten.
type crowd struct {
	rate, burst float64 // rate 0 is no limit

	mu      sync.Mutex
	buckets map[netip.Addr]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newCrowd(cfg Config) *crowd {
	c := &crowd{rate: defaultRate, burst: defaultBurst, buckets: map[netip.Addr]bucket{}}
	if cfg.AnonymousRate != 0 {
		c.rate = max(cfg.AnonymousRate, 0)
	}
	if cfg.AnonymousBurst > 0 {
		c.burst = float64(cfg.AnonymousBurst)
	}
	return c
}

// admit takes a token of the caller's bucket, or says how long to wait.
func (c *crowd) admit(from netip.Addr, now time.Time) error {
	if c.rate <= 0 {
		return nil
	}
	addr := network(from)
	c.mu.Lock()
	defer c.mu.Unlock()
	b, known := c.buckets[addr]
	if !known {
		c.makeRoom(now)
		b = bucket{c.burst, now}
	}
	b.tokens = min(c.burst, b.tokens+now.Sub(b.at).Seconds()*c.rate)
	b.at = now
	if b.tokens < 1 {
		wait := time.Duration((1 - b.tokens) / c.rate * float64(time.Second))
		return errdefs.New(errdefs.RateLimited, "Too many requests without a credential from this address. Wait a moment, or sign in.").
			WithRetryAfter(wait)
	}
	b.tokens--
	c.buckets[addr] = b
	return nil
}

// network is what one caller can change at will: with IPv6, half the address.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}

// makeRoom keeps the map within its bound. It looks at a few entries at a
// time, which Go's map hands out in random order.
func (c *crowd) makeRoom(now time.Time) {
	const few = 8
	full := time.Duration(c.burst / c.rate * float64(time.Second))
	seen := 0
	for addr, b := range c.buckets {
		if now.Sub(b.at) >= full || len(c.buckets) >= maxCrowd && seen == few-1 {
			delete(c.buckets, addr)
		}
		if seen++; seen == few {
			return
		}
	}
}

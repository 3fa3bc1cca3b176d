package provider

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
)

// How long a backend rests after a failure: twice as long after each further
// one, until it answers again.
const (
	restFirst = time.Second
	restMost  = 30 * time.Second
)

// NewBackend puts a connection to use.
func NewBackend(c *Connection, p Provider) *Backend {
	b := &Backend{Connection: c, Provider: p, now: time.Now}
	b.done = b.finish
	return b
}

// Begin counts a call as running until done is called, once, with what became
// of it. A failure of the upstream lets the backend rest; an answer, or a
// fault that is the caller's, clears it.
func (b *Backend) Begin() (done func(err error)) {
	b.Busy.Add(1)
	return b.done
}

func (b *Backend) finish(err error) {
	b.Busy.Add(-1)
	switch {
	case isCanceled(err): // says nothing
	case err != nil && isOutage(err):
		b.Outages.Add(1)
		n := min(b.failures.Add(1)-1, 5) // 2^5 s is above the most
		rest := min(restFirst<<max(n, 0), restMost)
		b.downUntil.Store(b.now().Add(rest).UnixNano())
	case b.failures.Load() != 0:
		b.failures.Store(0)
		b.downUntil.Store(0)
	}
}

// isOutage reports whether err says something about the backend rather than
// about the one request: no connection, no answer in time, a status that means
// the same, or one that refuses whatever this server asks. Other failures may
// well be the request's: Ollama says 500 of an option of the wrong type and 501
// of a model that cannot embed.
func isOutage(err error) bool {
	if h, ok := errors.AsType[*hop.Error](err); ok {
		return h.Phase < hop.Body || h.Timeout
	}
	status, _ := errors.AsType[statusError](err)
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return true
	}
	return errdefs.Is(err, errdefs.Timeout)
}

// Choose gives the order in which to try backends: those in health first, the
// least busy first among equals, else as configured. Resting ones come last
// and are not left out, since they may be all there is. The list given is not
// changed, and is the answer when it holds fewer than two.
func Choose(backends []*Backend, now time.Time) []*Backend {
	if len(backends) < 2 {
		return backends
	}
	type place struct {
		b       *Backend
		resting bool
		busy    int64
	}
	// What is compared is read once: it changes while sorting.
	places := make([]place, len(backends))
	for i, b := range backends {
		places[i] = place{b, !b.Healthy(now), b.Busy.Load()}
	}
	slices.SortStableFunc(places, func(x, y place) int {
		switch {
		case x.resting != y.resting && y.resting:
			return -1
		case x.resting != y.resting:
			return 1
		case x.busy < y.busy:
			return -1
		case x.busy > y.busy:
			return 1
		}
		return 0
	})
	order := make([]*Backend, len(places))
	for i := range places {
		order[i] = places[i].b
	}
	return order
}

// MayRetry reports whether another backend may be asked after err: the
// connection failed before a single byte of an answer came, and not because
// the upstream was slow to answer or the caller left.
func MayRetry(err error) bool {
	h, ok := errors.AsType[*hop.Error](err)
	if !ok || h.Phase > hop.Sent {
		return false
	}
	if h.Timeout && h.Phase == hop.Sent {
		return false
	}
	return !isCanceled(err)
}

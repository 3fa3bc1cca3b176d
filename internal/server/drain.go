package server

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// state is where the server stands between start and stop.
type state int32

const (
	starting state = iota
	ready
	draining
)

// gate counts the requests in work, and turns new ones away while the server
// drains. Liveness is answered to the end: a server that drains is alive.
type gate struct {
	next   http.Handler
	refuse http.Handler // answers while draining
	state  atomic.Int32
	open   atomic.Int64
	taken  atomic.Int64 // so far, without probes
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	watching := probe(r.URL.Path)
	if !watching {
		g.taken.Add(1)
	}
	if state(g.state.Load()) == draining && !watching {
		w.Header().Set("Connection", "close")
		g.refuse.ServeHTTP(w, r)
		return
	}
	g.open.Add(1)
	defer g.open.Add(-1)
	g.next.ServeHTTP(w, r)
}

// probe reports whether a path is one by which the server is watched.
func probe(path string) bool {
	return path == "/ready" || strings.HasPrefix(path, "/health")
}

// reasons is why new work should go elsewhere.
func (g *gate) reasons() []string {
	switch state(g.state.Load()) {
	case ready:
		return nil
	case draining:
		return []string{"Server is stopping"}
	}
	return []string{"Startup not complete"}
}

// wait returns when count gives 0, or ctx ends.
func wait(ctx context.Context, count func() int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for count() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

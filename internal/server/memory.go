package server

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

const (
	// quietFor is how long nothing may have been asked before memory is given
	// back: that takes a collection of everything, which no answer should wait for.
	quietFor = 10 * time.Second
	// worthwhile is by how much the heap must have grown for it.
	worthwhile = 8 << 20
)

// tidy gives memory back to the system when there is nothing to do, until ctx
// ends. The 19 MiB in which one password is hashed would else stay resident
// for minutes, and most of a small server's memory would be such blocks.
func (s *Server) tidy(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var seen int64     // requests taken, a tick ago
	var after uint64   // what the heap held after the last time; nothing at the start
	given := int64(-1) // requests taken when the program's pages were given back
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		taken := s.gate.taken.Load()
		quiet := taken == seen && s.inWork() == 0
		seen = taken
		if quiet && held() > after+worthwhile {
			debug.FreeOSMemory()
			after = held()
		}
		if quiet && given != taken {
			unmapProgram()
			given = taken
		}
	}
}

// held is how much memory the heap has from the system, in bytes.
func held() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapSys - m.HeapReleased
}

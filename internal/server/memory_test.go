package server

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// TestTidy: what was taken for a moment is given back once nothing is asked.
func TestTidy(t *testing.T) {
	before := held()
	block := make([]byte, 64<<20)
	for i := range block {
		block[i] = 1
	}
	s := &Server{gate: &gate{}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.tidy(ctx, 5*time.Millisecond); close(ended) }()
	runtime.KeepAlive(block)
	for end := time.Now().Add(10 * time.Second); held() > before+32<<20; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was given back")
		}
	}
	stop()
	<-ended
}

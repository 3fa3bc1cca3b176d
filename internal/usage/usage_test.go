package usage

import (
	"strconv"
	"sync"
	"testing"
)

func TestRecorder(t *testing.T) {
	t.Parallel()
	r := New()
	k := Key{UserID: "u", KeyID: "k", Model: "m"}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				r.Add(k, i == 0, 3, 2)
				r.Add(Key{UserID: strconv.Itoa(i), Model: "m"}, false, 1, 1)
			}
		})
	}
	wg.Wait()
	got := r.Snapshot()
	if c := got[k]; c != (Count{Requests: 800, Errors: 100, Prompt: 2400, Completion: 1600}) {
		t.Errorf("%+v", c)
	}
	if len(got) != 9 {
		t.Errorf("%d keys, want 9", len(got))
	}
}

func TestBounded(t *testing.T) {
	t.Parallel()
	r := New()
	const n = 3 * most * shards
	for i := range n {
		r.Add(Key{UserID: strconv.Itoa(i), Model: "m" + strconv.Itoa(i%7)}, false, 1, 0)
	}
	got := r.Snapshot()
	if len(got) > 2*most*shards+1 {
		t.Errorf("%d keys are kept", len(got))
	}
	var sum int64
	for _, c := range got {
		sum += c.Requests
	}
	if sum != n {
		t.Errorf("%d requests, want %d", sum, n)
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	r := New()
	k := Key{UserID: "u", Model: "m"}
	r.Add(k, false, 1, 1)
	if n := testing.AllocsPerRun(100, func() { r.Add(k, false, 1, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

package lexical

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"portico/internal/retrieval/index"
)

// TestSearchAllocatesLittle holds that a search of a small scope costs the same
// few allocations however large the index is.
func TestSearchAllocatesLittle(t *testing.T) {
	if raced {
		return
	}
	c := newCorpus(1, 2000)
	ix := open(t, t.TempDir(), "a", Options{Memory: 256 << 10, Idle: time.Hour})
	for id := int64(1); id <= 200; id++ {
		add(t, ix, id, id, c.chunks(20, 60))
	}
	if err := ix.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	scope := index.Scope{20, 90, 91, 180}
	question := "configuration server " + c.words[60] + " " + c.words[70] + " " + c.words[62]
	n := testing.AllocsPerRun(100, func() {
		if _, err := ix.Search(t.Context(), question, scope, 10); err != nil {
			t.Fatal(err)
		}
	})
	if n > 12 {
		t.Errorf("%v allocations", n)
	}
}

// TestMemoryIsBounded holds that what is added does not stay in memory, and that
// there are few segments of it.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const bound = 64 << 10
	c := newCorpus(1, 500)
	chunks := c.chunks(10, 60)
	ix := open(t, t.TempDir(), "a", Options{Memory: bound, Idle: time.Hour})
	most := 0
	for id := int64(1); id <= 500; id++ {
		add(t, ix, id, id, chunks)
		ix.mu.Lock()
		if ix.memory > 2*bound+64<<10 {
			t.Errorf("%d bytes in memory", ix.memory)
		}
		most = max(most, len(ix.segments))
		ix.mu.Unlock()
	}
	if most > 120 {
		t.Errorf("up to %d segments", most)
	}
}

// TestSeqWaitsForWhoIsAdding holds that Seq passes nothing that is on its way.
func TestSeqWaitsForWhoIsAdding(t *testing.T) {
	t.Parallel()
	ix := open(t, t.TempDir(), "a", Options{Idle: time.Hour})
	add(t, ix, 1, 1, []index.Text{{Text: "one"}})
	known, times, err := ix.announce(t.Context(), 2, 2)
	if known || err != nil {
		t.Fatal(known, err)
	}
	add(t, ix, 3, 3, []index.Text{{Text: "three"}})
	if err := ix.flush(t.Context()); err != nil || ix.Seq() != 1 {
		t.Fatalf("Seq is %d, %v", ix.Seq(), err)
	}
	s := newBuilder().build(2, 2, []index.Text{{Text: "two"}})
	if err := ix.admit(s, 2, 2, times); err != nil {
		t.Fatal(err)
	}
	if err := ix.flush(t.Context()); err != nil || ix.Seq() != 3 {
		t.Fatalf("Seq is %d, %v", ix.Seq(), err)
	}
}

// TestDiskFails holds that an index that cannot be written says so, takes no
// more than fits in memory, and goes on once it can.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/index"
	ix := open(t, dir, "a", Options{Memory: 8 << 10, Idle: time.Millisecond})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	c := newCorpus(1, 100)
	var err error
	id := int64(0)
	for err == nil && id < 1000 {
		id++
		err = ix.Add(t.Context(), id, id, c.chunks(5, 50))
	}
	if err == nil || ix.Seq() != 0 {
		t.Fatalf("Seq is %d, %v", ix.Seq(), err)
	}
	if got := search(t, ix, c.words[30]+" "+c.words[31], index.Scope{1, 2, 3}, 5); len(got) == 0 {
		t.Error("what was added is not found")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for err != nil && t.Context().Err() == nil {
		runtime.Gosched()
		err = ix.Add(t.Context(), id, id, c.chunks(5, 50))
	}
	if err := ix.Close(); err != nil || ix.Seq() != id {
		t.Fatalf("Seq is %d of %d, %v", ix.Seq(), id, err)
	}
}

func TestAddIsCancelled(t *testing.T) {
	t.Parallel()
	ix := open(t, t.TempDir(), "a", Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ix.Add(ctx, 1, 1, []index.Text{{Text: "x"}}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if len(ix.adding) != 0 {
		t.Fatal("it is still waited for")
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	ix := open(t, t.TempDir(), "a", Options{})
	add(t, ix, 1, 1, []index.Text{
		{Text: "Set OLLAMA_BASE_URL to the address of the server.", Context: "Ollama"},
		{Text: "The server has a base."},
		{Text: "Something else."},
	})
	scope := index.Scope{1}
	hits := search(t, ix, "What is OLLAMA_BASE_URL?", scope, 5)
	got, err := ix.Explain(t.Context(), "What is OLLAMA_BASE_URL?", scope, append(hits, index.Hit{Set: 1, N: 9}, index.Hit{Set: 8}))
	if err != nil || len(got) != 4 || got[2] != nil || got[3] != nil {
		t.Fatal(got, err)
	}
	var terms []string
	for _, m := range got[0] {
		terms = append(terms, m.Term)
		if m.Term == "ollama" && (m.Count != 1.5 || m.Docs != 1) {
			t.Errorf("%+v", m)
		}
	}
	if want := []string{"ollama", "url", "ollama_base_url", "base"}; !slices.Equal(terms, want) {
		t.Errorf("%v, not %v", terms, want)
	}
}

// TestWritingAtOnce holds that what is in memory is written once, whoever asks.
func TestWritingAtOnce(t *testing.T) {
	t.Parallel()
	ix := open(t, t.TempDir(), "a", Options{Idle: time.Hour})
	for id := int64(1); id <= 20; id++ {
		add(t, ix, id, id, []index.Text{{Text: "hello"}})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := ix.flush(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	scope := make(index.Scope, 20)
	for i := range scope {
		scope[i] = int64(i + 1)
	}
	if got := search(t, ix, "hello", scope, 100); len(got) != 20 {
		t.Errorf("%d hits of 20 chunks", len(got))
	}
}

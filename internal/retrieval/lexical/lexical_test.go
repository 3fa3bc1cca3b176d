package lexical

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/retrieval/index"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, dir, instance string, opt Options) *Index {
	t.Helper()
	ix, err := Open(dir, instance, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	return ix
}

func add(t testing.TB, ix *Index, set, seq int64, chunks []index.Text) {
	t.Helper()
	if err := ix.Add(t.Context(), set, seq, chunks); err != nil {
		t.Fatal(err)
	}
}

func search(t testing.TB, ix *Index, question string, scope index.Scope, k int) []index.Hit {
	t.Helper()
	hits, err := ix.Search(t.Context(), question, scope, k)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// without gives those of some ids that are not dead.
func without(dead index.Scope) func(context.Context, []int64) (index.Scope, error) {
	return func(_ context.Context, ids []int64) (index.Scope, error) {
		return slices.DeleteFunc(slices.Clone(ids), dead.Has), nil
	}
}

// TestRanking compares with the reference whatever the order in which sets came,
// and however they were written, merged and dropped.
func TestRanking(t *testing.T) {
	t.Parallel()
	seeds, questions := uint64(12), 60
	if raced {
		seeds, questions = 4, 20
	}
	for seed := range seeds {
		c := newCorpus(seed, 300)
		ref := reference{}
		rows := map[int64][]index.Text{}
		for range 60 {
			id := int64(1 + c.IntN(500))
			rows[id] = c.chunks(c.IntN(30), 40)
			ref.add(id, rows[id])
		}
		ids := slices.Sorted(maps.Keys(rows))
		c.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		dir := t.TempDir()
		ix := open(t, dir, "a", Options{Memory: 1 << 20, Idle: time.Hour})
		for seq, id := range ids {
			add(t, ix, id, int64(seq+1), rows[id])
			switch c.IntN(12) {
			case 0:
				if err := ix.flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			case 1:
				dead := c.some(ref, 0.05)
				for _, id := range dead {
					delete(ref, id)
				}
				err := ix.Compact(t.Context(), without(dead))
				if err != nil {
					t.Fatal(err)
				}
			case 2:
				if err := ix.Close(); err != nil {
					t.Fatal(err)
				}
				ix = open(t, dir, "a", Options{Memory: 1 << 20, Idle: time.Hour})
				if got := ix.Seq(); got != int64(seq+1) {
					t.Fatalf("after Close, Seq is %d, not %d", got, seq+1)
				}
			}
		}
		for range questions {
			compare(t, ix, ref, c, c.some(ref, []float64{0.03, 0.5, 0.97, 1}[c.IntN(4)]))
		}
		for _, id := range ids {
			if ref[id] != nil {
				compare(t, ix, ref, c, index.Scope{id})
			}
		}
	}
}

// compare asks an index and the reference the same, by both ways of ranking.
func compare(t *testing.T, ix *Index, ref reference, c *corpus, scope index.Scope) {
	t.Helper()
	question := c.text(1 + c.IntN(7))
	if c.IntN(8) == 0 {
		question = c.text(80)
	}
	k := 1 + c.IntN(40)
	want := ref.search(question, scope, k)
	for _, small := range []int{smallScope, 0} {
		ix.small = small
		got := search(t, ix, question, scope, k)
		if !slices.Equal(got, want) {
			t.Fatalf("%q among %d sets, %d (small %d):\n%v\nnot\n%v", question, len(scope), k, small, got, want)
		}
	}
	matches, err := ix.Explain(t.Context(), question, scope, want)
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range want {
		sum := 0.0
		for _, m := range matches[i] {
			sum += m.Score
		}
		if d := sum - float64(h.Score); d > 1e-5 || d < -1e-5 {
			t.Fatalf("%q: the matches of %v give %g: %v", question, h, sum, matches[i])
		}
	}
}

// TestLargeRanking has lists of many blocks.
func TestLargeRanking(t *testing.T) {
	t.Parallel()
	c := newCorpus(7, 200)
	ref := reference{}
	ix := open(t, t.TempDir(), "a", Options{Memory: 300 << 10, Idle: time.Hour})
	for id := int64(1); id <= 120; id++ {
		chunks := c.chunks(100, 12)
		ref.add(id, chunks)
		add(t, ix, id, id, chunks)
	}
	questions := 40
	if raced {
		questions = 10
	}
	for range questions {
		compare(t, ix, ref, c, c.some(ref, []float64{0.02, 0.5, 0.97, 1}[c.IntN(4)]))
	}
}

func TestAddIsIdempotent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ix := open(t, dir, "a", Options{})
	chunks := []index.Text{{Text: "hello world"}, {Text: "hello"}}
	for range 3 {
		add(t, ix, 5, 1, chunks)
	}
	add(t, ix, 6, 2, nil)
	if got := search(t, ix, "Hello", index.Scope{5, 6}, 10); len(got) != 2 {
		t.Fatalf("found %v", got)
	}
	if got := search(t, ix, "Hello", index.Scope{4, 6}, 10); got != nil {
		t.Fatalf("found %v out of scope", got)
	}
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
	ix = open(t, dir, "a", Options{})
	if ix.Seq() != 2 {
		t.Fatalf("Seq is %d", ix.Seq())
	}
	add(t, ix, 5, 1, chunks)
	if got := search(t, ix, "Hello", index.Scope{5, 6}, 10); len(got) != 2 {
		t.Fatalf("found %v", got)
	}
}

func TestNothingToFind(t *testing.T) {
	t.Parallel()
	ix := open(t, t.TempDir(), "a", Options{})
	add(t, ix, 1, 1, []index.Text{{}, {Text: "the of"}, {Context: "title"}})
	for question, n := range map[string]int{"": 0, "absent": 0, "?!": 0, "the": 1, "title": 1} {
		if got := search(t, ix, question, index.Scope{1}, 10); len(got) != n {
			t.Errorf("%q finds %v", question, got)
		}
	}
	if got := search(t, ix, "title", nil, 10); got != nil {
		t.Errorf("nothing in scope gives %v", got)
	}
	if got := search(t, ix, "title", index.Scope{1}, 0); got != nil {
		t.Errorf("no hits asked for gives %v", got)
	}
}

func TestContextCountsForLess(t *testing.T) {
	t.Parallel()
	ix := open(t, t.TempDir(), "a", Options{})
	add(t, ix, 1, 1, []index.Text{
		{Text: "apples and many other things", Context: "pears"},
		{Text: "pears and many other things", Context: "apples"},
		{Text: "nothing of the kind"},
	})
	got := search(t, ix, "pears", index.Scope{1}, 10)
	if len(got) != 2 || got[0].N != 1 {
		t.Fatalf("found %v", got)
	}
}

func TestOtherInstance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ix := open(t, dir, "a", Options{})
	add(t, ix, 1, 1, []index.Text{{Text: "hello"}})
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
	ix = open(t, dir, "b", Options{})
	if ix.Seq() != 0 || search(t, ix, "hello", index.Scope{1}, 1) != nil {
		t.Fatal("an index of another instance was used")
	}
}

// TestCrash copies the folder at any time: what Seq says is there.
func TestCrash(t *testing.T) {
	t.Parallel()
	c := newCorpus(3, 200)
	dir := t.TempDir()
	ix := open(t, dir, "a", Options{Memory: 20 << 10, Idle: time.Millisecond})
	ref := reference{}
	for id := int64(1); id <= 150; id++ {
		chunks := c.chunks(1+c.IntN(8), 30)
		ref.add(id, chunks)
		add(t, ix, id, id, chunks)
		if id%25 != 0 {
			continue
		}
		copied := t.TempDir()
		ix.filing.Lock() // a copy is not made in one moment, as a crash is
		err := os.CopyFS(copied, os.DirFS(dir))
		ix.filing.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		again := open(t, copied, "a", Options{})
		there := reference{}
		for set := int64(1); set <= again.Seq(); set++ {
			there[set] = ref[set]
		}
		for range 5 {
			compare(t, again, there, c, c.some(there, 1))
		}
	}
}

// TestDamage changes every file in every way: it is noticed, or changes nothing.
func TestDamage(t *testing.T) {
	t.Parallel()
	c := newCorpus(4, 150)
	whole := t.TempDir()
	ix := open(t, whole, "a", Options{Idle: time.Hour})
	ref, rows := reference{}, map[int64][]index.Text{}
	for id := int64(1); id <= 40; id++ {
		chunks := c.chunks(12, 20)
		ref.add(id, chunks)
		rows[id] = chunks
		add(t, ix, id, id, chunks)
		if id == 20 {
			if err := ix.flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(whole, "*"))
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	noticed := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 60 {
			var bad []byte
			switch n % 3 {
			case 0:
				bad = b[:c.IntN(len(b))]
			case 1:
				bad = slices.Clone(b)
				bad[c.IntN(len(b))] ^= 1 << c.IntN(8)
			case 2:
				bad = slices.Concat(b[:c.IntN(len(b))], b)
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(bad, b) && damaged(t, dir, ref, rows, c) {
				noticed++
			}
		}
	}
	if noticed < 100 {
		t.Errorf("damage was noticed only %d times", noticed)
	}
}

// remake brings everything into an index that is broken, as its owner does.
func remake(t *testing.T, ix *Index, rows map[int64][]index.Text) {
	t.Helper()
	if ix.Seq() != 0 {
		t.Fatal("a broken index says that it holds something")
	}
	if err := ix.Add(t.Context(), 41, 41, nil); !errors.Is(err, ErrBroken) {
		t.Fatalf("a broken index goes on as if it were not: %v", err)
	}
	if ix.Seq() != 0 {
		t.Fatal("a broken index says that it holds something")
	}
	for id := int64(1); id <= 40; id++ {
		add(t, ix, id, id, rows[id])
	}
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
}

// damaged opens a folder and reports whether it says that it is damaged, or else
// gives the right answers.
func damaged(t *testing.T, dir string, ref reference, rows map[int64][]index.Text, c *corpus) bool {
	t.Helper()
	ix := open(t, dir, "a", Options{Idle: time.Hour})
	defer ix.Close()
	if ix.Seq() == 0 {
		return true
	}
	scope := c.some(ref, 1)
	for range 20 {
		question := c.text(3)
		got, err := ix.Search(t.Context(), question, scope, 10)
		if errors.Is(err, ErrBroken) {
			remake(t, ix, rows)
			again := open(t, dir, "a", Options{Idle: time.Hour})
			if again.Seq() != 40 {
				t.Fatalf("what was made anew ends at %d", again.Seq())
			}
			compare(t, again, ref, c, scope)
			return true
		}
		if err != nil || !slices.Equal(got, ref.search(question, scope, 10)) {
			t.Fatalf("a damaged folder gives %v, %v", got, err)
		}
	}
	return false
}

func notSevenths(_ context.Context, ids []int64) (live index.Scope, _ error) {
	for _, id := range ids {
		if id%7 != 0 {
			live = append(live, id)
		}
	}
	return live, nil
}

func TestAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ix := open(t, dir, "a", Options{Memory: 50 << 10, Idle: time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := int64(0)
	for w := range 3 {
		wg.Go(func() {
			c := newCorpus(uint64(w), 200)
			for range 150 {
				mu.Lock()
				next++
				id := next
				mu.Unlock()
				if err := ix.Add(ctx, id, id, c.chunks(5, 30)); err != nil {
					return
				}
				hits, err := ix.Search(ctx, c.words[200-1-w]+" "+c.words[30], index.Scope{id}, 10)
				if err != nil && ctx.Err() == nil {
					t.Errorf("search: %v", err)
				}
				for _, h := range hits {
					if h.Set != id {
						t.Errorf("found %v out of scope", h)
					}
				}
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			err := ix.Compact(ctx, notSevenths)
			if err != nil && ctx.Err() == nil {
				t.Errorf("compact: %v", err)
			}
			time.Sleep(20 * time.Millisecond)
			mu.Lock()
			done := next >= 450
			mu.Unlock()
			if done {
				return
			}
		}
	})
	wg.Wait()
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ix.Add(t.Context(), 1, 1, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed index takes sets: %v", err)
	}
	if _, err := ix.Search(t.Context(), "x", index.Scope{1}, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed index is searched: %v", err)
	}
}

package vector

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"portico/internal/retrieval/index"
)

// world is sets of vectors, with questions about them.
type world struct {
	sets  map[int64][][]float32
	scope index.Scope
	asked [][]float32
}

// newWorld makes n sets of 1 to 2*size vectors.
func newWorld(seed uint64, n, size, dims int) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	all := clusters(r, 2*n*size+20, dims)
	w := &world{sets: make(map[int64][][]float32), asked: all[:20]}
	all = all[20:]
	for i := range n {
		set, rows := int64(3*i+1), 1+r.IntN(2*size-1)
		w.sets[set], all = all[:rows:rows], all[rows:]
		w.scope = append(w.scope, set)
	}
	return w
}

// TestExact holds searches of small and middling scopes to brute force.
func TestExact(t *testing.T) {
	t.Parallel()
	w := newWorld(1, 120, 60, 96)
	x := open(t, Options{Memory: 1000, Candidates: 600})
	for _, set := range w.scope {
		add(t, x, set, w.sets[set]...)
	}
	for _, n := range []int{1, 2, 10, 120} {
		scope := w.scope[len(w.scope)-n:]
		mean := 0.0
		for _, q := range w.asked {
			want, got := exactHits(w.sets, q, scope, 10), find(t, x, q, scope, 10)
			mean += recall(got, want) / float64(len(w.asked))
			for i, h := range got {
				if exact := product(q, w.sets[h.Set][h.N]); math.Abs(exact-float64(h.Score)) > 1e-3 || i > 0 && index.Compare(got[i-1], h) >= 0 {
					t.Fatalf("hit %d is %+v, its product %v", i, h, exact)
				}
			}
		}
		if mean < 0.98 {
			t.Errorf("%d sets: recall %.3f", n, mean)
		}
	}
}

// TestLayout: what is found does not depend on the order in which sets came,
// on when they were written and merged, or on a restart.
func TestLayout(t *testing.T) {
	t.Parallel()
	w := newWorld(2, 150, 30, 50)
	scopes := []index.Scope{w.scope, w.scope[20:25], {w.scope[7], w.scope[90], w.scope[149], 100_000}}
	ask := func(x *Index) (all [][]index.Hit) {
		for _, scope := range scopes {
			for _, q := range w.asked {
				all = append(all, find(t, x, q, scope, 7))
			}
		}
		return all
	}
	var want [][]index.Hit
	for i, memory := range []int{1 << 20, 64, 200, 1000, 1} {
		r := rand.New(rand.NewPCG(5, uint64(i)))
		dir := t.TempDir()
		x := openIn(t, dir, "a", Options{Memory: memory, Candidates: 300, Cores: 1 + i%3})
		order := slices.Clone(w.scope)
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, set := range order {
			add(t, x, set, w.sets[set]...)
			if r.IntN(5) == 0 {
				add(t, x, order[0], w.sets[order[0]]...) // again
			}
		}
		got := ask(x)
		if want == nil {
			want = got
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("written after %d vectors, other hits", memory)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		again := openIn(t, dir, "a", Options{Candidates: 300})
		if again.Seq() != w.scope[len(w.scope)-1] || !reflect.DeepEqual(ask(again), want) {
			t.Errorf("after a restart at %d, other hits", again.Seq())
		}
	}
}

func TestSpaces(t *testing.T) {
	t.Parallel()
	x := open(t, Options{Memory: 4})
	ctx := t.Context()
	for _, c := range []struct {
		set   int64
		space string
		v     []float32
	}{{1, "a", []float32{1, 0}}, {2, "b", []float32{0, 1, 0}}, {3, "a", []float32{0, 1}}, {4, "", []float32{1, 0}}, {5, "a", []float32{0.6, 0.8, 1, 0}}} {
		dims := len(c.v)
		if c.set == 5 {
			dims = 2
		}
		if err := x.Add(ctx, c.set, c.set, c.space, dims, c.v); err != nil {
			t.Fatal(err)
		}
	}
	all := index.Scope{1, 2, 3, 4, 5}
	hits, err := x.Search(ctx, "a", []float32{1, 0}, all, 10)
	if err != nil || len(hits) != 4 || hits[0].Set != 1 || hits[1] != (index.Hit{Set: 5, N: 1, Score: 1}) {
		t.Errorf("got %v, %v", hits, err)
	}
	if hits, err := x.Search(ctx, "c", []float32{1, 0}, all, 10); err != nil || len(hits) != 0 {
		t.Errorf("got %v, %v", hits, err)
	}
	if _, err := x.Search(ctx, "a", []float32{1, 0, 0}, all, 10); err == nil {
		t.Error("a question of other dimensions was answered")
	}
	nan := float32(math.NaN())
	if _, err := x.Search(ctx, "a", []float32{nan, 0}, all, 10); err == nil {
		t.Error("a question that is no number was answered")
	}
	if err := x.Add(ctx, 9, 9, "a", 2, []float32{nan, 0}); err == nil {
		t.Error("a vector that is no number was kept")
	}
	if err := x.Add(ctx, 9, 9, "a", 2, []float32{1}); err == nil {
		t.Error("half a vector was kept")
	}
	for _, k := range []int{0, -1} {
		if hits, err := x.Search(ctx, "a", []float32{1, 0}, all, k); err != nil || len(hits) != 0 {
			t.Errorf("got %v, %v", hits, err)
		}
	}
}

// TestEqualVectors: many alike are in the order of set and number.
func TestEqualVectors(t *testing.T) {
	t.Parallel()
	x := open(t, Options{Memory: 500, Candidates: 100})
	v := gauss(rand.New(rand.NewPCG(1, 1)), 64)
	var scope index.Scope
	for set := range int64(30) {
		scope = append(scope, 30-set)
		all := make([][]float32, 40)
		for i := range all {
			all[i] = v
		}
		add(t, x, 30-set, all...)
	}
	slices.Sort(scope)
	for i, h := range find(t, x, v, scope, 50) {
		if h.Set != int64(1+i/40) || h.N != i%40 {
			t.Fatalf("hit %d is %+v", i, h)
		}
	}
}

// TestAtOnce adds, compacts and searches at the same time.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(4, 60, 20, 40)
	x := open(t, Options{Memory: 100, Candidates: 50})
	ctx, cancel := context.WithCancel(t.Context())
	var searches sync.WaitGroup
	for i := range 3 {
		searches.Go(func() {
			for ctx.Err() == nil {
				hits, err := x.Search(ctx, "s", w.asked[i], w.scope[:30], 5)
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
					return
				}
				for _, h := range hits {
					if !w.scope[:30].Has(h.Set) {
						t.Errorf("%+v is out of scope", h)
					}
				}
			}
		})
	}
	for i, set := range w.scope {
		add(t, x, set, w.sets[set]...)
		if i%20 == 19 {
			err := x.Compact(ctx, func(_ context.Context, ids []int64) (index.Scope, error) {
				return slices.DeleteFunc(ids, func(id int64) bool { return id%2 == 0 }), nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	searches.Wait()
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(6, 100, 20, 40)
	x := open(t, Options{Candidates: 50})
	for _, set := range w.scope {
		add(t, x, set, w.sets[set]...)
	}
	want := find(t, x, w.asked[0], w.scope, 5)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Search(ctx, "s", w.asked[0], w.scope, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := x.Add(ctx, 9999, 9999, "s", 40, w.asked[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := find(t, x, w.asked[0], w.scope, 5); !reflect.DeepEqual(got, want) {
		t.Error("a search that was cut off changed the next")
	}
}

// TestAllocations: a warm search makes its hits and little else.
func TestAllocations(t *testing.T) {
	w := newWorld(7, 100, 60, 64)
	x := open(t, Options{Memory: 2000, Candidates: 300, Cores: 1})
	for _, set := range w.scope {
		add(t, x, set, w.sets[set]...)
	}
	for name, scope := range map[string]index.Scope{"whole": w.scope, "one set": w.scope[5:6]} {
		find(t, x, w.asked[0], scope, 10)
		n := testing.AllocsPerRun(50, func() { find(t, x, w.asked[0], scope, 10) })
		if n > maxAllocs {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

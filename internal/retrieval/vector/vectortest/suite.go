// Package vectortest holds the suite that every index of vectors passes: the
// one in files, and PostgreSQL's.
package vectortest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"portico/internal/retrieval"
	"portico/internal/retrieval/index"
)

// Fixture is an empty index, and a way to have sets that may go into it.
type Fixture struct {
	retrieval.Vectors
	// NewSet gives the id and the sequence of a new set of n chunks.
	NewSet func(t *testing.T, space string, n int) (set, seq int64)
	// Least is the recall that searches of large scopes have to reach.
	Least float64
}

// Run runs every case, each on an index of its own.
func Run(t *testing.T, open func(t *testing.T) *Fixture) {
	for name, run := range map[string]func(t *testing.T, f *Fixture){
		"Scope": testScope, "Recall": testRecall, "Again": testAgain, "Spaces": testSpaces, "Bad": testBad,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, open(t))
		})
	}
}

const dims = 48

func unit(r *rand.Rand, near []float32) []float32 {
	v, norm := make([]float32, dims), 0.0
	for i := range v {
		v[i] = float32(r.NormFloat64())
		if near != nil {
			v[i] = near[i] + v[i]*0.07
		}
		norm += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(norm))
	}
	return v
}

func product(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func (f *Fixture) add(t *testing.T, space string, vectors ...[]float32) int64 {
	t.Helper()
	set, seq := f.NewSet(t, space, len(vectors))
	if err := f.Add(t.Context(), set, seq, space, dims, slices.Concat(vectors...)); err != nil {
		t.Fatal(err)
	}
	return set
}

func (f *Fixture) find(t *testing.T, space string, q []float32, scope index.Scope, k int) []index.Hit {
	t.Helper()
	hits, err := f.Search(t.Context(), space, q, scope, k)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// testScope: two people with two collections each, all about the same; however
// near another's vectors are, they are not found.
func testScope(t *testing.T, f *Fixture) {
	r := rand.New(rand.NewPCG(1, 2))
	marker := unit(r, nil)
	var scopes [4]index.Scope
	for i := range 40 {
		vectors := make([][]float32, 25)
		for j := range vectors {
			vectors[j] = unit(r, marker)
		}
		set := f.add(t, "s", vectors...)
		scopes[i%4] = append(scopes[i%4], set)
	}
	for i := range 100 {
		q, scope := unit(r, marker), scopes[i%4]
		if i%3 == 0 {
			scope = scope[:1+i%10]
		}
		hits := f.find(t, "s", q, scope, 10)
		if len(hits) != 10 {
			t.Fatalf("%d hits", len(hits))
		}
		for _, h := range hits {
			if !scope.Has(h.Set) {
				t.Fatalf("%+v is out of scope", h)
			}
		}
	}
	last := scopes[3][len(scopes[3])-1]
	for _, scope := range []index.Scope{nil, {}, {last + 1000}} {
		if hits := f.find(t, "s", marker, scope, 10); len(hits) != 0 {
			t.Errorf("in scope %v: %v", scope, hits)
		}
	}
}

// testRecall holds hits to brute force, and their scores to products.
func testRecall(t *testing.T, f *Fixture) {
	r := rand.New(rand.NewPCG(3, 4))
	centres := make([][]float32, 30)
	for i := range centres {
		centres[i] = unit(r, nil)
	}
	sets := make(map[int64][][]float32)
	var whole index.Scope
	for range 60 {
		vectors := make([][]float32, 40)
		for j := range vectors {
			vectors[j] = unit(r, centres[r.IntN(len(centres))])
		}
		set := f.add(t, "s", vectors...)
		sets[set], whole = vectors, append(whole, set)
	}
	for _, c := range []struct {
		scope index.Scope
		least float64
	}{{whole[7:9], 1}, {whole, f.Least}} {
		mean := 0.0
		for range 50 {
			q := unit(r, centres[r.IntN(len(centres))])
			var want []index.Hit
			for _, set := range c.scope {
				for n, v := range sets[set] {
					want = append(want, index.Hit{Set: set, N: n, Score: float32(product(v, q))})
				}
			}
			slices.SortFunc(want, index.Compare)
			got := f.find(t, "s", q, c.scope, 10)
			for i, h := range got {
				if exact := product(sets[h.Set][h.N], q); math.Abs(exact-float64(h.Score)) > 1e-3 || i > 0 && index.Compare(got[i-1], h) >= 0 {
					t.Fatalf("hit %d is %+v, its product is %v", i, h, exact)
				}
				// As good as the tenth, but for the rounding of what is kept.
				if float64(h.Score) > float64(want[9].Score)-1e-3 {
					mean += 0.1 / 50
				}
			}
		}
		if mean < c.least-1e-9 {
			t.Errorf("%d sets: recall %.3f", len(c.scope), mean)
		}
	}
}

func testAgain(t *testing.T, f *Fixture) {
	v := unit(rand.New(rand.NewPCG(5, 6)), nil)
	set, seq := f.NewSet(t, "s", 1)
	for range 2 {
		if err := f.Add(t.Context(), set, seq, "s", dims, v); err != nil {
			t.Fatal(err)
		}
	}
	if hits := f.find(t, "s", v, index.Scope{set}, 10); len(hits) != 1 || math.Abs(float64(hits[0].Score)-1) > 1e-3 {
		t.Errorf("got %v", hits)
	}
}

func testSpaces(t *testing.T, f *Fixture) {
	v := unit(rand.New(rand.NewPCG(7, 8)), nil)
	a, b := f.add(t, "a", v), f.add(t, "b", v)
	for space, set := range map[string]int64{"a": a, "b": b} {
		if hits := f.find(t, space, v, index.Scope{a, b}, 10); len(hits) != 1 || hits[0].Set != set {
			t.Errorf("in space %s: %v", space, hits)
		}
	}
	if hits := f.find(t, "c", v, index.Scope{a, b}, 10); len(hits) != 0 {
		t.Errorf("in no space: %v", hits)
	}
}

func testBad(t *testing.T, f *Fixture) {
	set, seq := f.NewSet(t, "s", 1)
	if err := f.Add(t.Context(), set, seq, "s", dims, make([]float32, dims+1)); err == nil {
		t.Error("a vector and a bit was kept")
	}
	if hits := f.find(t, "s", make([]float32, dims), index.Scope{set}, 0); len(hits) != 0 {
		t.Errorf("got %v", hits)
	}
}

package vector

import (
	"cmp"
	"encoding/binary"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"portico/internal/retrieval/index"
)

// vectorsFile names real vectors for the large benchmark: float32, little
// endian, 384 dimensions, one after another. -model makes it.
var vectorsFile = flag.String("vectors", "", "file of `float32` vectors of 384 dimensions that the benchmark's are made from")

// realVectors reads that file; without it, clusters take its place.
func realVectors(t testing.TB, n, dims int) [][]float32 {
	t.Helper()
	if *vectorsFile == "" {
		return clusters(rand.New(rand.NewPCG(1, 1)), n, dims)
	}
	if _, err := os.Stat(*vectorsFile); err != nil && *modelDir != "" {
		makeVectors(t, n)
	}
	b, err := os.ReadFile(*vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	all := make([][]float32, len(b)/4/dims)
	for i := range all {
		all[i] = make([]float32, dims)
		for j := range all[i] {
			all[i][j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*(i*dims+j):]))
		}
	}
	return all
}

// clusters are unit vectors around some centres, as texts are about some things.
func clusters(r *rand.Rand, n, dims int) [][]float32 {
	centres := make([][]float32, max(1, n/40))
	for i := range centres {
		centres[i] = gauss(r, dims)
	}
	all := make([][]float32, n)
	for i := range all {
		c, noise := centres[r.IntN(len(centres))], gauss(r, dims)
		all[i] = make([]float32, dims)
		for j := range noise {
			all[i][j] = c[j] + 0.7*noise[j]
		}
		unit(all[i])
	}
	return all
}

func gauss(r *rand.Rand, dims int) []float32 {
	v := make([]float32, dims)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return unit(v)
}

func unit(v []float32) []float32 {
	norm := float32(math.Sqrt(product(v, v)))
	for i := range v {
		v[i] /= norm
	}
	return v
}

// cloud makes any number of vectors out of real ones: a real one moved part of
// the way to one of its neighbours, and then along the difference of another
// pair of neighbours. What is near stays near, and no direction comes in that
// the real ones do not have.
type cloud struct {
	bases [][]float32
	near  [][]int32
	r     *rand.Rand
}

const neighbours = 8

func newCloud(t testing.TB, bases [][]float32, seed uint64) *cloud {
	t.Helper()
	c := &cloud{bases: bases, near: make([][]int32, len(bases)), r: rand.New(rand.NewPCG(seed, 7))}
	x := open(t, Options{})
	scope := make(index.Scope, len(bases))
	for i, v := range bases {
		scope[i] = int64(i + 1)
		add(t, x, int64(i+1), v)
	}
	for i, v := range bases {
		for _, h := range find(t, x, v, scope, neighbours+1) {
			if int(h.Set-1) != i {
				c.near[i] = append(c.near[i], int32(h.Set-1))
			}
		}
	}
	return c
}

func (c *cloud) pair() (a, b []float32) {
	i := c.r.IntN(len(c.bases))
	return c.bases[i], c.bases[c.near[i][c.r.IntN(len(c.near[i]))]]
}

// next appends a vector.
func (c *cloud) next(dst []float32) []float32 {
	a, b := c.pair()
	d, e := c.pair()
	u, w := c.r.Float32(), c.r.Float32()-0.5
	first := len(dst)
	for i := range a {
		dst = append(dst, a[i]+u*(b[i]-a[i])+w*(d[i]-e[i]))
	}
	unit(dst[first:])
	return dst
}

func open(t testing.TB, opt Options) *Index {
	t.Helper()
	return openIn(t, t.TempDir(), "instance", opt)
}

func openIn(t testing.TB, dir, instance string, opt Options) *Index {
	t.Helper()
	x, err := Open(dir, instance, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// add adds vectors of the space "s" as one set; its sequence is its id.
func add(t testing.TB, x *Index, set int64, vectors ...[]float32) {
	t.Helper()
	if err := x.Add(t.Context(), set, set, "s", len(vectors[0]), slices.Concat(vectors...)); err != nil {
		t.Fatal(err)
	}
}

func find(t testing.TB, x *Index, q []float32, scope index.Scope, k int) []index.Hit {
	t.Helper()
	hits, err := x.Search(t.Context(), "s", q, scope, k)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// exactHits is what brute force finds in sets of vectors.
func exactHits(sets map[int64][][]float32, q []float32, scope index.Scope, k int) []index.Hit {
	var all []index.Hit
	for _, set := range scope {
		for n, v := range sets[set] {
			all = append(all, index.Hit{Set: set, N: n, Score: float32(product(v, q))})
		}
	}
	slices.SortFunc(all, index.Compare)
	return all[:min(k, len(all))]
}

// recall is the part of want that is in got.
func recall(got, want []index.Hit) float64 {
	if len(want) == 0 {
		return 1
	}
	n := 0
	for _, w := range want {
		if slices.ContainsFunc(got, func(g index.Hit) bool { return g.Set == w.Set && g.N == w.N }) {
			n++
		}
	}
	return float64(n) / float64(len(want))
}

func median[T cmp.Ordered](v []T) T { return quantile(v, 50) }

func quantile[T cmp.Ordered](v []T, percent int) T {
	v = slices.Sorted(slices.Values(v))
	return v[min(len(v)-1, len(v)*percent/100)]
}

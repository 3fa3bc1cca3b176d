package vector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestKernels holds the fast kernels to the plain ones.
func TestKernels(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, dims := range []int{1, 15, 16, 17, 48, 64, 65, 384, 768, 1000, 1024, 4096} {
		s := shapeOf(dims)
		for _, n := range []int{1, 2, 5, 33} {
			question, codes := make([]uint64, s.words), make([]uint64, n*lanes*s.words)
			for i := range question {
				question[i] = r.Uint64()
			}
			for i := range codes {
				codes[i] = r.Uint64()
			}
			for j := range s.words { // the two extremes
				codes[j*lanes], codes[j*lanes+7] = question[j], ^question[j]
			}
			want, got := make([]uint16, n*lanes), make([]uint16, n*lanes)
			distancesGo(want, codes, question)
			for name, kernel := range kernels() {
				kernel(got, codes, question)
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("%s, %d dimensions: got %v, want %v", name, dims, got, want)
				}
			}
		}
		v, q := make([]int8, s.stride), make([]int16, s.stride)
		for i := range v {
			v[i], q[i] = int8(r.IntN(256)-128), int16(r.IntN(255)-127)
		}
		if got, want := dot(v, q), dotGo(v, q); got != want {
			t.Fatalf("%d dimensions: got %d, want %d", dims, got, want)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for _, dims := range []int{1, 2, 3, 7, 64, 100, 384, 1000} {
		a, b := make([]float32, dims), make([]float32, dims)
		for i := range a {
			a[i], b[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
		}
		before := product(a, b)
		rotate(a)
		rotate(b)
		if after := product(a, b); math.Abs(after-before) > 1e-3*math.Sqrt(float64(dims)) {
			t.Errorf("%d dimensions: a product of %v became %v", dims, before, after)
		}
	}
	// One dimension is spread over all.
	one := make([]float32, 384)
	one[7] = 1
	rotate(one)
	for _, f := range one {
		if math.Abs(float64(f)) > 0.4 {
			t.Errorf("%v of 1 is in one place", f)
		}
	}
}

func product(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func BenchmarkDistances(b *testing.B) {
	const n = 1 << 17 // 6 MiB: more than a core's own cache
	codes, question, dst := make([]uint64, n*6), make([]uint64, 6), make([]uint16, n)
	for name, kernel := range kernels() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(n * 48)
			b.ReportAllocs()
			for b.Loop() {
				kernel(dst, codes, question)
			}
		})
	}
}

func BenchmarkDot(b *testing.B) {
	v, q := make([]int8, 384), make([]int16, 384)
	b.ReportAllocs()
	for b.Loop() {
		dot(v, q)
	}
}

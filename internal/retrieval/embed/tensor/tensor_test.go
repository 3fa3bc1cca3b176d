package tensor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// numbers gives n numbers around zero, with guards of NaN behind them that must
// neither be used nor overwritten.
const guards = 64

func numbers(r *rand.Rand, n int) []float32 {
	v := make([]float32, n+guards)
	for i := range v {
		v[i] = float32(r.NormFloat64())
		if i >= n {
			v[i] = float32(math.NaN())
		}
	}
	return v[:n]
}

func guarded(v []float32) bool {
	v = v[len(v) : len(v)+guards]
	for _, f := range v {
		if f == f {
			return false
		}
	}
	return true
}

// each runs a test for every kind of arithmetic that this machine can do.
func each(t *testing.T, fn func(t *testing.T, m *Kernels, r *rand.Rand)) {
	for _, m := range All() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, m, rand.New(rand.NewPCG(1, 2)))
		})
	}
}

type shape struct{ rows, k, n, pad int }

func shapes(r *rand.Rand) []shape {
	all := []shape{{1, 1, 1, 0}, {12, 384, 384, 0}, {13, 32, 13, 3}, {1, 384, 1536, 0}, {7, 16, 8, 5}, {25, 8, 33, 1},
		{11, 64, 31, 0}, {24, 48, 64, 7}, {5, 100, 4, 0}, {3, 384, 384, 0}, {2, 16, 4, 0}, {40, 20, 20, 2}}
	for range 60 {
		all = append(all, shape{1 + r.IntN(40), 1 + r.IntN(70), 1 + r.IntN(80), r.IntN(9)})
	}
	return all
}

// near compares with what float64 gives, by the size of what was summed.
func near(t *testing.T, what string, got float32, want, size float64) {
	t.Helper()
	if d := math.Abs(float64(got) - want); !(d <= 1e-6*(size+1)) {
		t.Fatalf("%s: %v instead of %v", what, got, want)
	}
}

func TestMulT(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, m *Kernels, r *rand.Rand) {
		var s Scratch
		for _, q := range shapes(r) {
			lda, ldw, ldc := q.k+q.pad, q.k+2*q.pad, q.n+q.pad
			a, w, bias := numbers(r, q.rows*lda), numbers(r, q.n*ldw), numbers(r, q.n)
			c := numbers(r, (q.rows-1)*ldc+q.n)
			old := append([]float32(nil), c...)
			if q.pad == 3 {
				bias = nil
			}
			m.MulT(c, ldc, a, lda, q.rows, w, ldw, q.k, q.n, bias, &s)
			for i := range q.rows {
				for j := range q.n {
					var want, size float64
					if bias != nil {
						want = float64(bias[j])
					}
					for l := range q.k {
						p := float64(a[i*lda+l]) * float64(w[j*ldw+l])
						want, size = want+p, size+math.Abs(p)
					}
					near(t, fmt.Sprintf("%+v at %d,%d", q, i, j), c[i*ldc+j], want, size)
				}
				for j := q.n; j < ldc && i < q.rows-1; j++ {
					if c[i*ldc+j] != old[i*ldc+j] {
						t.Fatalf("%+v wrote between the rows", q)
					}
				}
			}
			if !guarded(c) {
				t.Fatalf("%+v wrote behind the matrix", q)
			}
		}
	})
}

func TestMul(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, m *Kernels, r *rand.Rand) {
		var s Scratch
		for _, q := range shapes(r) {
			lda, ldb, ldc := q.k+q.pad, q.n+2*q.pad, q.n+q.pad
			a, b := numbers(r, q.rows*lda), numbers(r, q.k*ldb)
			c := numbers(r, (q.rows-1)*ldc+q.n)
			m.Mul(c, ldc, a, lda, q.rows, b, ldb, q.k, q.n, &s)
			for i := range q.rows {
				for j := range q.n {
					var want, size float64
					for l := range q.k {
						p := float64(a[i*lda+l]) * float64(b[l*ldb+j])
						want, size = want+p, size+math.Abs(p)
					}
					near(t, fmt.Sprintf("%+v at %d,%d", q, i, j), c[i*ldc+j], want, size)
				}
			}
			if !guarded(c) {
				t.Fatalf("%+v wrote behind the matrix", q)
			}
		}
	})
}

func TestGELU(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, m *Kernels, r *rand.Rand) {
		for _, n := range []int{1, 7, 8, 15, 16, 17, 33, 4001} {
			x := numbers(r, n)
			for i := range x {
				x[i] *= 4
			}
			if n > 4000 {
				copy(x, []float32{0, -0.0, 30, -30, 1e30, -1e30, 1e-30, 5.3, -5.3, 4 * math.Sqrt2})
			}
			got := append([]float32(nil), x...)
			got = append(got, numbers(r, guards)...)[:n]
			m.GELU(got)
			for i, v := range x {
				want := float64(v) * 0.5 * (1 + math.Erf(float64(v)/math.Sqrt2))
				near(t, fmt.Sprint("gelu of ", v), got[i], want, math.Abs(float64(v)))
			}
		}
	})
}

func TestSoftmax(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, m *Kernels, r *rand.Rand) {
		for n := 1; n < 70; n++ {
			x := numbers(r, n)
			for i := range x {
				x[i] = x[i]*30 - 400 // far below zero, where lanes of zeros would show
			}
			got := numbers(r, n)
			copy(got, x)
			m.Softmax(got, 0.3)
			top, sum := math.Inf(-1), 0.0
			for _, v := range x {
				top = max(top, float64(v)*float64(float32(0.3)))
			}
			for _, v := range x {
				sum += math.Exp(float64(v)*float64(float32(0.3)) - top)
			}
			for i, v := range x {
				near(t, fmt.Sprint("softmax of ", n), got[i], math.Exp(float64(v)*float64(float32(0.3))-top)/sum, 10)
			}
			if !guarded(got) {
				t.Fatal("wrote behind the row")
			}
		}
	})
}

func TestAddNorm(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, m *Kernels, r *rand.Rand) {
		for _, n := range []int{1, 3, 8, 12, 16, 31, 32, 384, 1000} {
			for _, alone := range []bool{false, true} {
				x, y, gain, shift := numbers(r, n), numbers(r, n), numbers(r, n), numbers(r, n)
				if alone {
					y = nil
				}
				got := numbers(r, n)
				copy(got, x)
				m.AddNorm(got, y, gain, shift, 1e-5)
				z := make([]float64, n)
				var mean, square float64
				for i := range z {
					z[i] = float64(x[i])
					if y != nil {
						z[i] = float64(x[i] + y[i])
					}
					mean += z[i] / float64(n)
				}
				for _, v := range z {
					square += (v - mean) * (v - mean) / float64(n)
				}
				for i, v := range z {
					want := (v-mean)/math.Sqrt(square+1e-5)*float64(gain[i]) + float64(shift[i])
					near(t, fmt.Sprint("norm of ", n), got[i], want, 30)
				}
				if !guarded(got) {
					t.Fatal("wrote behind the row")
				}
			}
		}
	})
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	x := []float32{3, 0, 4}
	Normalize(x)
	if x[0] != 0.6 || x[2] != 0.8 {
		t.Error(x)
	}
	zero := []float32{0, 0}
	Normalize(zero)
	if zero[0] != 0 {
		t.Error(zero)
	}
}

func BenchmarkMulT(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, q := range []shape{{512, 384, 1536, 0}, {512, 1536, 384, 0}, {256, 32, 256, 0}, {12, 384, 1536, 0}} {
		for _, m := range All() {
			b.Run(fmt.Sprintf("%d×%d×%d/%s", q.rows, q.k, q.n, m.Name), func(b *testing.B) {
				var s Scratch
				a, w, bias, c := numbers(r, q.rows*q.k), numbers(r, q.n*q.k), numbers(r, q.n), numbers(r, q.rows*q.n)
				b.ReportAllocs()
				for b.Loop() {
					m.MulT(c, q.n, a, q.k, q.rows, w, q.k, q.k, q.n, bias, &s)
				}
				b.ReportMetric(2*float64(q.rows*q.k*q.n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

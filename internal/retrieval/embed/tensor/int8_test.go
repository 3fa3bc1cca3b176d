package tensor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The products of 8 bits are exact; what they are of was rounded before. So
// they are compared with the products of the rounded numbers.
func TestMul8(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, m *Kernels, r *rand.Rand) {
		var s Scratch
		var rows Rows8
		for n, q := range shapes(r) {
			lda, ldc := q.k+q.pad, q.n+q.pad
			a, w, bias := numbers(r, q.rows*lda), numbers(r, q.n*q.k), numbers(r, q.n)
			if n%3 == 0 { // everything at its greatest: where 16 bits would saturate
				for i := range w {
					w[i] = float32(1 - 2*r.IntN(2))
				}
				for i := range a {
					a[i] = float32(1 - 2*r.IntN(2))
				}
			}
			if n%3 == 1 {
				clear(a[:q.k]) // a row of zeros has no size of steps
			}
			c := numbers(r, (q.rows-1)*ldc+q.n)
			m.Rows8(&rows, a, lda, q.rows, q.k)
			m.Mul8(c, ldc, &rows, q.rows, m.Weights8(w, q.k, q.k, q.n, bias), &s)
			a8, as := reference8(a, lda, q.rows, q.k)
			w8, ws := reference8(w, q.k, q.n, q.k)
			for i := range q.rows {
				for j := range q.n {
					sum := 0
					for l := range q.k {
						sum += a8[i*q.k+l] * w8[j*q.k+l]
					}
					want := float64(sum)*as[i]*ws[j] + float64(bias[j])
					near(t, fmt.Sprintf("%+v at %d,%d", q, i, j), c[i*ldc+j], want, 5*math.Abs(want)+5)
				}
			}
			if !guarded(c) {
				t.Fatalf("%+v wrote behind the matrix", q)
			}
		}
	})
}

// reference8 rounds rows to 8 bits.
func reference8(x []float32, ldx, rows, k int) (out []int, sizes []float64) {
	for i := range rows {
		row := x[i*ldx : i*ldx+k]
		top := float32(0)
		for _, v := range row {
			top = max(top, float32(math.Abs(float64(v))))
		}
		by := float32(0)
		if top > 0 {
			by = steps / top
		}
		sizes = append(sizes, float64(top/steps))
		for _, v := range row {
			out = append(out, int(math.RoundToEven(float64(v*by))))
		}
	}
	return out, sizes
}

func TestRound(t *testing.T) {
	t.Parallel()
	for v := float32(-127.5); v <= 127.5; v += 0.125 {
		if got := round(v); float64(got) != math.RoundToEven(float64(v)) {
			t.Fatalf("%v rounds to %v", v, got)
		}
	}
}

func BenchmarkMul8(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, q := range []shape{{512, 384, 1536, 0}, {512, 1536, 384, 0}, {12, 384, 1536, 0}} {
		for _, m := range All() {
			b.Run(fmt.Sprintf("%d×%d×%d/%s", q.rows, q.k, q.n, m.Name), func(b *testing.B) {
				var s Scratch
				var rows Rows8
				a, w, c := numbers(r, q.rows*q.k), numbers(r, q.n*q.k), numbers(r, q.rows*q.n)
				w8 := m.Weights8(w, q.k, q.k, q.n, nil)
				b.ReportAllocs()
				for b.Loop() {
					m.Rows8(&rows, a, q.k, q.rows, q.k)
					m.Mul8(c, q.n, &rows, q.rows, w8, &s)
				}
				b.ReportMetric(2*float64(q.rows*q.k*q.n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
			})
		}
	}
}

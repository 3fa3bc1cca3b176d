package float16

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestEveryValue: each float16 comes back as it was, and what lies between two
// goes to the nearer.
func TestEveryValue(t *testing.T) {
	t.Parallel()
	for h := range uint16(0x7c00) {
		f := single(h)
		for _, sign := range []uint16{0, 0x8000} {
			if got := half(math.Float32bits(single(h | sign))); got != h|sign {
				t.Fatalf("%#x came back as %#x", h|sign, got)
			}
		}
		if h == 0x7bff {
			break
		}
		next := single(h + 1)
		middle := f + (next-f)/2
		if got := half(math.Float32bits(middle)); got != h+h&1 { // ties to even
			t.Fatalf("%v, between %#x and the next, became %#x", middle, h, got)
		}
	}
	if single(0x3c00) != 1 || single(0x0001) != 1.0/(1<<24) || single(0x7bff) != 65504 || half(math.Float32bits(1e9)) != 0x7bff {
		t.Error("known values are wrong")
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 3, 4, 5, 384} {
		a, b := make([]float32, n), make([]float32, n)
		want := 0.0
		for i := range a {
			a[i], b[i] = rand.Float32()-0.5, rand.Float32()-0.5
			want += float64(a[i]) * float64(b[i])
		}
		data, ok := Append(nil, b)
		if !ok || len(data) != 2*n || len(Values(nil, data)) != n {
			t.Fatal("not all values were kept")
		}
		if got := Dot(a, data); math.Abs(float64(got)-want) > 0.002 {
			t.Errorf("%d dimensions: %v, want %v", n, got, want)
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, ok := Append(nil, []float32{1, float32(bad)}); ok {
			t.Errorf("%v was kept", bad)
		}
	}
}

func BenchmarkDot384(b *testing.B) {
	v := make([]float32, 384)
	data, _ := Append(nil, v)
	b.ReportAllocs()
	for b.Loop() {
		Dot(v, data)
	}
}

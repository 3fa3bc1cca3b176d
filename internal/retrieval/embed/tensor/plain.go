package tensor

import (
	"math"
	"unsafe"
)

// Plain is the arithmetic in Go alone, for machines without assembly here.
func Plain() *Kernels {
	return &Kernels{
		Name: "go",
		mr:   4, nr: 4, tile: plainTile,
		gelu: plainGELU, softmax: plainSoftmax, norm: plainNorm,
		int8: plainInt8,
	}
}

func plainTile(c *float32, ldc int, a *float32, lda int, panel *float32, k int, bias *float32) {
	p, b := unsafe.Slice(panel, 4*k), unsafe.Slice(bias, 4)
	for i := range 4 {
		row := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(a), 4*i*lda)), k)
		out := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(c), 4*i*ldc)), 4)
		s0, s1, s2, s3 := b[0], b[1], b[2], b[3]
		for l, v := range row {
			q := p[4*l : 4*l+4 : 4*l+4]
			s0 += v * q[0]
			s1 += v * q[1]
			s2 += v * q[2]
			s3 += v * q[3]
		}
		out[0], out[1], out[2], out[3] = s0, s1, s2, s3
	}
}

func plainGELU(x *float32, n int) {
	s := unsafe.Slice(x, n)
	for i, v := range s {
		s[i] = float32(float64(v) * 0.5 * (1 + math.Erf(float64(v)/math.Sqrt2)))
	}
}

func plainSoftmax(x *float32, n int, scale float32) {
	s := unsafe.Slice(x, n)
	top := float32(math.Inf(-1))
	for _, v := range s {
		top = max(top, v*scale)
	}
	var sum float32
	for i, v := range s {
		e := float32(math.Exp(float64(v*scale - top)))
		s[i] = e
		sum += e
	}
	for i := range s {
		s[i] /= sum
	}
}

func plainNorm(x, y, gain, shift *float32, n int, eps float32) {
	s, g, h := unsafe.Slice(x, n), unsafe.Slice(gain, n), unsafe.Slice(shift, n)
	if y != nil {
		for i, v := range unsafe.Slice(y, n) {
			s[i] += v
		}
	}
	var mean, square float64
	for _, v := range s {
		mean += float64(v)
	}
	mean /= float64(n)
	for _, v := range s {
		d := float64(v) - mean
		square += d * d
	}
	by := 1 / math.Sqrt(square/float64(n)+float64(eps))
	for i, v := range s {
		s[i] = float32((float64(v)-mean)*by)*g[i] + h[i]
	}
}

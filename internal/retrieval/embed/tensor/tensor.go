// Package tensor is the arithmetic of an encoder: products of matrices in
// float32 and int8, and what stands between them. It has assembly for x86-64
// with AVX2 or AVX-512 and plain Go for everything else; all give the same
// numbers but for rounding.
//
// Matrices are slices, row by row; a stride is how many numbers lie between the
// beginnings of two rows. Weights are read where they lie, in a mapped file,
// and brought into the order that the kernels like panel by panel while they
// are used: no second copy of them is kept.
package tensor

import "math"

// Kernels is the arithmetic of one kind of machine. It is safe for concurrent
// use; a Scratch is not.
type Kernels struct {
	Name string // "avx512", "avx2" or "go"

	// tile computes mr×nr numbers of c = a·panel + bias. A panel holds nr
	// columns of k numbers, column by column within each k.
	mr, nr int
	tile   func(c *float32, ldc int, a *float32, lda int, panel *float32, k int, bias *float32)
	// dot computes dr×dc numbers of c = a·wᵀ + bias; k is a multiple of dk.
	dr, dc, dk int
	dot        func(c *float32, ldc int, a *float32, lda int, w *float32, ldw, k int, bias *float32)
	// transpose brings nr rows of k numbers into a panel; k is a multiple of 8.
	transpose func(panel *float32, w *float32, ldw, k int)

	gelu    func(x *float32, n int)
	softmax func(x *float32, n int, scale float32)
	// norm computes x = layerNorm(x + y) · gain + shift.
	norm func(x, y, gain, shift *float32, n int, eps float32)

	int8 *int8Kernels
}

// Scratch is room for one goroutine's work.
type Scratch struct {
	panel, edge, rows, bias []float32
}

// grow gives a slice of n numbers, at old if there is room.
func grow[T any](old *[]T, n int) []T {
	if cap(*old) < n {
		*old = make([]T, n)
	}
	return (*old)[:n]
}

// MulT computes c = a·wᵀ + bias: a has rows rows of k numbers, w has n rows of
// k, c gets rows rows of n. A nil bias is zeros.
func (m *Kernels) MulT(c []float32, ldc int, a []float32, lda, rows int, w []float32, ldw, k, n int, bias []float32, s *Scratch) {
	if rows == 0 || n == 0 {
		return
	}
	if m.dot != nil && rows < 2*m.mr && rows >= m.dr && n >= m.dc && n%m.dc == 0 && k%m.dk == 0 {
		m.mulDot(c, ldc, a, lda, rows, w, ldw, k, n, bias, s)
		return
	}
	panel := grow(&s.panel, m.nr*k)
	for j := 0; j < n; j += m.nr {
		m.packT(panel, w[j*ldw:], ldw, k, min(m.nr, n-j))
		m.panel(c[j:], ldc, a, lda, rows, panel, k, min(m.nr, n-j), from(bias, j), s)
	}
}

// Mul computes c = a·b: a has rows rows of k numbers, b has k rows of n.
func (m *Kernels) Mul(c []float32, ldc int, a []float32, lda, rows int, b []float32, ldb, k, n int, s *Scratch) {
	if rows == 0 || n == 0 {
		return
	}
	panel := grow(&s.panel, m.nr*k)
	for j := 0; j < n; j += m.nr {
		cols := min(m.nr, n-j)
		for i := range k {
			row := panel[i*m.nr : (i+1)*m.nr]
			clear(row[copy(row, b[i*ldb+j:i*ldb+j+cols]):])
		}
		m.panel(c[j:], ldc, a, lda, rows, panel, k, cols, nil, s)
	}
}

func from(bias []float32, j int) []float32 {
	if bias == nil {
		return nil
	}
	return bias[j:]
}

// packT brings cols rows of w into a panel; columns that are not there are zero.
func (m *Kernels) packT(panel, w []float32, ldw, k, cols int) {
	if m.transpose != nil && cols == m.nr && k%8 == 0 {
		m.transpose(&panel[0], &w[0], ldw, k)
		return
	}
	clear(panel)
	for j := range cols {
		for i, v := range w[j*ldw : j*ldw+k] {
			panel[i*m.nr+j] = v
		}
	}
}

// panel computes cols columns of c.
func (m *Kernels) panel(c []float32, ldc int, a []float32, lda, rows int, panel []float32, k, cols int, bias []float32, s *Scratch) {
	if bias == nil || cols < m.nr {
		b := grow(&s.bias, m.nr)
		clear(b[copy(b[:cols], bias):])
		bias = b
	}
	if cols == m.nr && rows >= m.mr {
		for i := 0; i < rows; i += m.mr {
			i = min(i, rows-m.mr) // the last tile goes over some rows again
			m.tile(&c[i*ldc], ldc, &a[i*lda], lda, &panel[0], k, &bias[0])
		}
		return
	}
	// At an edge a whole tile is computed beside the matrix.
	edge := grow(&s.edge, m.mr*m.nr)
	for i := 0; i < rows; i += m.mr {
		few := min(m.mr, rows-i)
		at, stride := a[i*lda:], lda
		if few < m.mr {
			at, stride = grow(&s.rows, m.mr*k), k
			for r := range few {
				copy(at[r*k:(r+1)*k], a[(i+r)*lda:])
			}
			clear(at[few*k:])
		}
		m.tile(&edge[0], m.nr, &at[0], stride, &panel[0], k, &bias[0])
		for r := range few {
			copy(c[(i+r)*ldc:(i+r)*ldc+cols], edge[r*m.nr:])
		}
	}
}

// mulDot is for few rows, where bringing the weights into order would cost more
// than the products: they are read as they lie, once.
func (m *Kernels) mulDot(c []float32, ldc int, a []float32, lda, rows int, w []float32, ldw, k, n int, bias []float32, s *Scratch) {
	if bias == nil {
		bias = grow(&s.bias, n)
		clear(bias)
	}
	for j := 0; j < n; j += m.dc {
		for i := 0; i < rows; i += m.dr {
			i = min(i, rows-m.dr)
			m.dot(&c[i*ldc+j], ldc, &a[i*lda], lda, &w[j*ldw], ldw, k, &bias[j])
		}
	}
}

// GELU replaces each number x by x·Φ(x), Φ by way of erf and not of tanh.
func (m *Kernels) GELU(x []float32) {
	if len(x) > 0 {
		m.gelu(&x[0], len(x))
	}
}

// Softmax replaces x by softmax(scale·x).
func (m *Kernels) Softmax(x []float32, scale float32) {
	if len(x) > 0 {
		m.softmax(&x[0], len(x), scale)
	}
}

// AddNorm replaces x by layerNorm(x+y)·gain + shift; a nil y is zeros.
func (m *Kernels) AddNorm(x, y, gain, shift []float32, eps float32) {
	if len(x) == 0 {
		return
	}
	if y == nil {
		m.norm(&x[0], nil, &gain[0], &shift[0], len(x), eps)
		return
	}
	m.norm(&x[0], &y[0], &gain[0], &shift[0], len(x), eps)
}

// Normalize gives x length 1. Zeros stay zeros.
func Normalize(x []float32) {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	if sum == 0 {
		return
	}
	by := float32(1 / math.Sqrt(sum))
	for i := range x {
		x[i] *= by
	}
}

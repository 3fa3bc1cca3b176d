package tensor

import (
	"math"
	"unsafe"
)

// int8Kernels multiply numbers of 8 bits. A tile is mr rows by nr columns; a
// panel holds, for each 4 numbers of k, nr columns of 4 bytes.
type int8Kernels struct {
	mr, nr int
	// zero is what stands for 0 in a row: 128 where rows are unsigned.
	zero uint8
	tile func(c *float32, ldc int, a *uint8, lda int, panel *int8, quads int, scales *float32, cols *uint32)
	// row writes x in steps of size: round(x·by) + zero.
	row func(dst *uint8, x *float32, n int, by float32)
	max func(x *float32, n int) float32 // of the magnitudes
	// step is what n of row and max must be a multiple of.
	step int
}

// Weights8 are weights of 8 bits: each row in steps of its own size.
type Weights8 struct {
	k, n   int
	quads  int
	panels []int8
	// cols has for each panel nr corrections (int32), nr sizes and nr biases.
	cols []uint32
}

// Rows8 are rows of activations of 8 bits, each in steps of its own size.
type Rows8 struct {
	k, quads int
	data     []uint8
	sizes    []float32
}

// steps is how many steps lie between zero and the greatest number.
const steps = 127

// Weights8 brings n rows of k weights to 8 bits.
func (m *Kernels) Weights8(w []float32, ldw, k, n int, bias []float32) *Weights8 {
	nr := m.int8.nr
	q := &Weights8{k: k, n: n, quads: (k + 3) / 4}
	panels := (n + nr - 1) / nr
	q.panels = make([]int8, panels*q.quads*4*nr)
	q.cols = make([]uint32, panels*3*nr)
	for j := range n {
		row := w[j*ldw : j*ldw+k]
		var top float32
		for _, v := range row {
			top = max(top, v, -v)
		}
		panel, col := j/nr, j%nr
		out, cols := q.panels[panel*q.quads*4*nr:], q.cols[panel*3*nr:]
		by := float32(0)
		if top > 0 {
			by = steps / top
		}
		sum := int32(0)
		for i, v := range row {
			b := int32(round(v * by))
			sum += b
			out[i/4*4*nr+4*col+i%4] = int8(b)
		}
		cols[col] = uint32(-int32(m.int8.zero) * sum)
		cols[nr+col] = math.Float32bits(top / steps)
		if bias != nil {
			cols[2*nr+col] = math.Float32bits(bias[j])
		}
	}
	return q
}

// round is to the nearest, halves to even, as the processor does it.
func round(v float32) float32 {
	const big = 3 << 22 // where float32 has no room for a fraction
	return v + big - big
}

// Rows8 brings rows of k activations to 8 bits, into r.
func (m *Kernels) Rows8(r *Rows8, x []float32, ldx, rows, k int) {
	t := m.int8
	r.k, r.quads = k, (k+3)/4
	stride, room := 4*r.quads, max(rows, t.mr)
	r.data, r.sizes = grow(&r.data, room*stride), grow(&r.sizes, room)
	whole := k - k%t.step
	for i := range rows {
		row, out := x[i*ldx:i*ldx+k], r.data[i*stride:(i+1)*stride]
		top := float32(0)
		if whole > 0 {
			top = t.max(&row[0], whole)
		}
		for _, v := range row[whole:] {
			top = max(top, v, -v)
		}
		by := float32(0)
		if top > 0 {
			by = steps / top
		}
		r.sizes[i] = top / steps
		if whole > 0 {
			t.row(&out[0], &row[0], whole, by)
		}
		for j, v := range row[whole:] {
			out[whole+j] = uint8(int32(round(v*by))) + t.zero
		}
		for j := k; j < stride; j++ {
			out[j] = t.zero
		}
	}
	for i := rows * stride; i < room*stride; i++ { // a tile may read rows that are not there
		r.data[i] = t.zero
	}
	clear(r.sizes[rows:])
}

// Mul8 computes c = a·wᵀ + bias for the first rows rows of a.
func (m *Kernels) Mul8(c []float32, ldc int, a *Rows8, rows int, w *Weights8, s *Scratch) {
	t := m.int8
	stride := 4 * a.quads
	for j := 0; j < w.n; j += t.nr {
		panel, cols := w.panels[j*stride:], w.cols[3*j:]
		few := min(t.nr, w.n-j)
		for i := 0; i < rows; i += t.mr {
			if few == t.nr && rows >= t.mr {
				i = min(i, rows-t.mr) // the last tile goes over some rows again
				t.tile(&c[i*ldc+j], ldc, &a.data[i*stride], stride, &panel[0], a.quads, &a.sizes[i], &cols[0])
				continue
			}
			from := max(0, min(i, rows-t.mr))
			edge := grow(&s.edge, t.mr*t.nr)
			t.tile(&edge[0], t.nr, &a.data[from*stride], stride, &panel[0], a.quads, &a.sizes[from], &cols[0])
			for r := from; r < min(from+t.mr, rows); r++ {
				copy(c[r*ldc+j:r*ldc+j+few], edge[(r-from)*t.nr:])
			}
		}
	}
}

var plainInt8 = &int8Kernels{mr: 1, nr: 4, tile: plainTile8, row: plainRow8, max: plainMax, step: 1}

func plainTile8(c *float32, ldc int, a *uint8, lda int, panel *int8, quads int, scales *float32, cols *uint32) {
	row, p := unsafe.Slice(a, 4*quads), unsafe.Slice(panel, 16*quads)
	at, out := unsafe.Slice(cols, 12), unsafe.Slice(c, 4)
	for j := range 4 {
		sum := int32(at[j])
		for i := range quads {
			for l := range 4 {
				sum += int32(int8(row[4*i+l])) * int32(p[16*i+4*j+l])
			}
		}
		out[j] = float32(sum)*(*scales*math.Float32frombits(at[4+j])) + math.Float32frombits(at[8+j])
	}
}

func plainRow8(dst *uint8, x *float32, n int, by float32) {
	out := unsafe.Slice(dst, n)
	for i, v := range unsafe.Slice(x, n) {
		out[i] = uint8(int32(round(v * by)))
	}
}

func plainMax(x *float32, n int) (top float32) {
	for _, v := range unsafe.Slice(x, n) {
		top = max(top, v, -v)
	}
	return top
}

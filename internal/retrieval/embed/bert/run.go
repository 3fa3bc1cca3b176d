package bert

import (
	"errors"
	"math"

	"portico/internal/retrieval/embed/tensor"
)

// Work is the room of one goroutine that runs a model.
type Work struct {
	x, qkv, mix, wide, score []float32
	rows                     tensor.Rows8
	scratch                  tensor.Scratch
}

// Run encodes texts, given as the numbers of their tokens one behind the other
// and the lengths of each, and appends their vectors, of length 1, to dst.
func (m *Model) Run(dst []float32, tokens []int32, lengths []int, w *Work) ([]float32, error) {
	if err := m.fits(tokens, lengths); err != nil {
		return dst, err
	}
	h, n := m.Hidden, len(tokens)
	x := grow(&w.x, n*h)
	m.embed(x, tokens, lengths)
	for i := range m.layers {
		m.layer(&m.layers[i], x, lengths, w)
	}
	for at, i := 0, 0; i < len(lengths); i++ {
		dst = m.pool(dst, x[at*h:(at+lengths[i])*h])
		at += lengths[i]
	}
	return dst, nil
}

func (m *Model) fits(tokens []int32, lengths []int) error {
	sum := 0
	for _, n := range lengths {
		if n <= 0 || n > m.MaxTokens {
			return errors.New("bert: a text is empty or longer than the model reads")
		}
		sum += n
	}
	if sum != len(tokens) {
		return errors.New("bert: the lengths do not add up")
	}
	for _, t := range tokens {
		if t < 0 || int(t) >= m.words.rows {
			return errors.New("bert: the tokenizer knows a word that the weights do not")
		}
	}
	return nil
}

func grow(old *[]float32, n int) []float32 {
	if cap(*old) < n {
		*old = make([]float32, n)
	}
	return (*old)[:n]
}

func (m *Model) embed(x []float32, tokens []int32, lengths []int) {
	h := m.Hidden
	clear(x)
	at := 0
	for _, n := range lengths {
		for i := range n {
			row := x[at*h : (at+1)*h]
			m.words.add(row, int(tokens[at]))
			m.places.add(row, m.first+i)
			if m.kinds != nil {
				m.kinds.add(row, 0)
			}
			m.m.AddNorm(row, nil, m.gain, m.shift, m.Eps)
			at++
		}
	}
}

// layer runs one layer on x in place.
func (m *Model) layer(l *layer, x []float32, lengths []int, w *Work) {
	h, n := m.Hidden, len(x)/m.Hidden
	qkv := grow(&w.qkv, n*3*h)
	m.linear(qkv, 3*h, x, w, l.query, l.key, l.value)
	mix := grow(&w.mix, n*h)
	at := 0
	for _, length := range lengths {
		m.attend(mix[at*h:], qkv[at*3*h:], length, w)
		at += length
	}
	y := qkv[:n*h]
	m.linear(y, h, mix, w, l.out)
	for i := range n {
		m.m.AddNorm(x[i*h:(i+1)*h], y[i*h:(i+1)*h], l.gain1, l.shift1, m.Eps)
	}
	wide := grow(&w.wide, n*m.Inner)
	m.linear(wide, m.Inner, x, w, l.inner)
	m.m.GELU(wide)
	m.linear(y, h, wide, w, l.outer)
	for i := range n {
		m.m.AddNorm(x[i*h:(i+1)*h], y[i*h:(i+1)*h], l.gain2, l.shift2, m.Eps)
	}
}

// linear runs steps that have the same input; their outputs stand side by side
// in rows of y.
func (m *Model) linear(y []float32, ldy int, x []float32, w *Work, steps ...linear) {
	in := steps[0].in
	n := len(x) / in
	if steps[0].w8 != nil {
		m.m.Rows8(&w.rows, x, in, n, in)
	}
	for _, l := range steps {
		if l.w8 != nil {
			m.m.Mul8(y, ldy, &w.rows, n, l.w8, &w.scratch)
		} else {
			m.m.MulT(y, ldy, x, in, n, l.w, in, in, l.out, l.b, &w.scratch)
		}
		y = y[min(l.out, len(y)):]
	}
}

// attend mixes the values of one text of n tokens, head by head.
func (m *Model) attend(mix, qkv []float32, n int, w *Work) {
	h, d := m.Hidden, m.Hidden/m.Heads
	scale := float32(1 / math.Sqrt(float64(d)))
	score := grow(&w.score, n*n)
	for i := range m.Heads {
		query, key, value := qkv[i*d:], qkv[h+i*d:], qkv[2*h+i*d:]
		m.m.MulT(score, n, query, 3*h, n, key, 3*h, d, n, nil, &w.scratch)
		for r := range n {
			m.m.Softmax(score[r*n:(r+1)*n], scale)
		}
		m.m.Mul(mix[i*d:], h, score, n, n, value, 3*h, n, d, &w.scratch)
	}
}

// pool appends the vector of one text.
func (m *Model) pool(dst, x []float32) []float32 {
	h, start := m.Hidden, len(dst)
	dst = append(dst, x[:h]...)
	v := dst[start:]
	if !m.CLS {
		for at := h; at < len(x); at += h {
			for i, f := range x[at : at+h] {
				v[i] += f
			}
		}
	}
	tensor.Normalize(v) // the mean is the sum but for its length
	return dst
}

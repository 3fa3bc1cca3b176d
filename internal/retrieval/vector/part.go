package vector

import (
	"slices"
	"sort"

	"portico/internal/retrieval/float16"
	"portico/internal/retrieval/index"
)

// part is vectors of one space, in memory or mapped. The rows of a set are
// together, and sets follow one another without a gap: starts has one more
// element than sets.
type part struct {
	shape
	space  string
	n      int // rows
	sets   []int64
	starts []uint32
	codes  []uint64 // in blocks of eight, word by word
	small  []int8
	scales []float32 // of small

	place  map[int64]int // of a set in sets; nil where sets rise
	halves []byte        // in memory; else exact reads
	file   *segment
}

// span is some rows of a part that follow one another.
type span struct{ from, to int }

// newPart makes an empty one in memory.
func newPart(space string, dims int) *part {
	return &part{shape: shapeOf(dims), space: space, starts: []uint32{0}, place: make(map[int64]int)}
}

// add appends a set whose vectors are encoded.
func (p *part) add(set int64, e *encoded) {
	p.place[set] = len(p.sets)
	for i := range e.n {
		if p.n%lanes == 0 {
			p.codes = append(p.codes, make([]uint64, lanes*p.words)...)
		}
		p.setCode(p.n, e.codes[i*p.words:(i+1)*p.words])
		p.n++
	}
	p.small = append(p.small, e.small...)
	p.scales = append(p.scales, e.scales...)
	p.halves = append(p.halves, e.halves...)
	p.sets = append(p.sets, set)
	p.starts = append(p.starts, uint32(p.n))
}

func (p *part) setCode(row int, code []uint64) {
	at := row/lanes*lanes*p.words + row%lanes
	for j, w := range code {
		p.codes[at+j*lanes] = w
	}
}

func (p *part) code(dst []uint64, row int) {
	at := row/lanes*lanes*p.words + row%lanes
	for j := range dst {
		dst[j] = p.codes[at+j*lanes]
	}
}

// find gives the place of a set in sets.
func (p *part) find(set int64) (int, bool) {
	if p.place != nil {
		i, ok := p.place[set]
		return i, ok
	}
	return slices.BinarySearch(p.sets, set)
}

// at gives the set of a row, and its number in it.
func (p *part) at(row int) (set int64, n int) {
	i := sort.Search(len(p.sets), func(i int) bool { return int(p.starts[i+1]) > row })
	return p.sets[i], row - int(p.starts[i])
}

// spans appends the rows that a scope names, in their order. It costs the
// smaller of the two lists, times the logarithm of the other.
func (p *part) spans(dst []span, scope index.Scope) []span {
	first := len(dst)
	add := func(i int) {
		from, to := int(p.starts[i]), int(p.starts[i+1])
		if last := len(dst) - 1; last >= first && dst[last].to == from {
			dst[last].to = to
		} else if from < to {
			dst = append(dst, span{from, to})
		}
	}
	switch {
	case p.place != nil && len(scope) < len(p.sets):
		for _, set := range scope {
			if i, ok := p.place[set]; ok {
				add(i)
			}
		}
		slices.SortFunc(dst[first:], func(a, b span) int { return a.from - b.from })
	case p.place != nil:
		for i, set := range p.sets {
			if scope.Has(set) {
				add(i)
			}
		}
	default:
		walk(p.sets, scope, add)
	}
	return dst
}

// walk calls fn with the places in sets of what is in both rising lists,
// leaping over what is in one alone.
func walk(sets []int64, scope index.Scope, fn func(i int)) {
	i, j := 0, 0
	for i < len(sets) && j < len(scope) {
		switch a, b := sets[i], scope[j]; {
		case a == b:
			fn(i)
			i, j = i+1, j+1
		case a < b:
			i = leap(sets, i, b)
		default:
			j = leap(scope, j, a)
		}
	}
}

// leap gives the first place after i whose value is not below v.
func leap(rising []int64, i int, v int64) int {
	step := 1
	for i+step < len(rising) && rising[i+step] < v {
		i += step
		step *= 2
	}
	rest := rising[i+1 : min(i+step+1, len(rising))]
	n, _ := slices.BinarySearch(rest, v)
	return i + 1 + n
}

// score is the product of a row with the question, about.
func (p *part) score(row int, q *question) float32 {
	return float32(dot(p.smallOf(row), q.wide)) * (p.scales[row] * q.scale)
}

func (p *part) smallOf(row int) []int8 { return p.small[row*p.stride : (row+1)*p.stride] }

// exact is the product of a row with the question; buf has room for it.
func (p *part) exact(row int, q *question, buf []byte) (float32, error) {
	size := 2 * p.dims
	if p.file == nil {
		return float16.Dot(q.vector, p.halves[row*size:(row+1)*size]), nil
	}
	buf = buf[:size]
	if err := p.file.readHalves(buf, row); err != nil {
		return 0, err
	}
	return float16.Dot(q.vector, buf), nil
}

// readHalves reads rows as they are kept.
func (p *part) readHalves(dst []byte, row int) error {
	if p.file == nil {
		copy(dst, p.halves[row*2*p.dims:])
		return nil
	}
	return p.file.readHalves(dst, row)
}

// encoded is the vectors of a set, ready to be kept.
type encoded struct {
	n      int
	codes  []uint64 // row by row
	small  []int8
	scales []float32
	halves []byte
}

// encode gives false when a value is not finite.
func encode(s shape, vectors []float32) (*encoded, bool) {
	n := len(vectors) / s.dims
	e := &encoded{n: n, codes: make([]uint64, n*s.words), small: make([]int8, n*s.stride),
		scales: make([]float32, n), halves: make([]byte, 0, 2*len(vectors))}
	var ok bool
	if e.halves, ok = float16.Append(e.halves, vectors); !ok {
		return nil, false
	}
	turned := make([]float32, s.dims)
	for i := range n {
		copy(turned, vectors[i*s.dims:])
		rotate(turned)
		code(e.codes[i*s.words:(i+1)*s.words], turned)
		e.scales[i] = quantize(e.small[i*s.stride:(i+1)*s.stride], turned)
	}
	return e, true
}

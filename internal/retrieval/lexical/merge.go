package lexical

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"io"
	"runtime/debug"
	"slices"
)

// piece is sets that stand together in a segment and in the one that it is
// merged into.
type piece struct{ from, to, n uint32 }

// source is a segment that is being merged.
type source struct {
	words
	order  int // by the first set, so that lists mostly follow each other
	pieces []piece
}

// sources merges by word, and by segment where a word is in several.
type sources []*source

func (s sources) Len() int { return len(s) }
func (s sources) Less(i, j int) bool {
	if c := bytes.Compare(s[i].term, s[j].term); c != 0 {
		return c < 0
	}
	return s[i].order < s[j].order
}
func (s sources) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *sources) Push(any)     { panic("lexical: nothing is added to a merge") }
func (s *sources) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// placed is a set and where its chunks are.
type placed struct {
	setEntry
	from *source
	at   int // its place in the segment
}

// merge writes one segment with the sets of several, without those that keep
// does not want (nil keeps all). A set that is in two of them is taken once.
func merge(ctx context.Context, out io.Writer, segments []*segment, keep func(int64) bool) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(&err)
	var all []placed
	var seq int64
	srcs := make(sources, len(segments))
	for i, s := range segments {
		if !s.ready() {
			return ErrBroken
		}
		seq = max(seq, s.Seq)
		srcs[i] = &source{}
		srcs[i].begin(s, 0)
		for at := range s.sets() {
			if id := s.id(at); keep == nil || keep(id) {
				all = append(all, placed{setEntry{id, int(s.first(at+1) - s.first(at))}, srcs[i], at})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.id, b.id) })
	all = slices.CompactFunc(all, func(a, b placed) bool { return a.id == b.id })

	for i, p := range slices.Backward(all) {
		p.from.order = i
	}
	sets := make([]setEntry, 0, len(all))
	var lengths []uint16
	for _, p := range all {
		s := p.from.seg
		first := uint32(s.first(p.at))
		p.from.place(piece{first, uint32(len(lengths)), uint32(p.chunks)})
		for i := range uint32(p.chunks) {
			lengths = append(lengths, s.length(first+i))
		}
		sets = append(sets, p.setEntry)
	}
	w := newSegmentWriter(out, sets, lengths)
	if err := mergeWords(ctx, w, srcs); err != nil {
		return err
	}
	return w.finish(seq)
}

// place notes where chunks go; what follows the last piece makes it longer.
func (s *source) place(p piece) {
	if n := len(s.pieces); n > 0 {
		if l := &s.pieces[n-1]; l.from+l.n == p.from && l.to+l.n == p.to {
			l.n += p.n
			return
		}
	}
	s.pieces = append(s.pieces, p)
}

func mergeWords(ctx context.Context, w *segmentWriter, srcs sources) error {
	all := slices.Clone(srcs)
	srcs = slices.DeleteFunc(srcs, func(s *source) bool { return !s.next() })
	heap.Init(&srcs)
	var m merger
	for n := 0; len(srcs) > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		m.term = append(m.term[:0], srcs[0].term...)
		m.docs, m.counts = m.docs[:0], m.counts[:0]
		rising := true
		for len(srcs) > 0 && bytes.Equal(srcs[0].term, m.term) {
			s := srcs[0]
			if !m.take(s, &rising) {
				return ErrBroken
			}
			if s.next() {
				heap.Fix(&srcs, 0)
			} else {
				heap.Pop(&srcs)
			}
		}
		if !rising {
			m.sort()
		}
		if len(m.docs) > 0 {
			w.add(m.term, m.docs, m.counts)
		}
	}
	for _, s := range all {
		if s.seg.broken.Load() {
			return ErrBroken
		}
	}
	return w.err
}

// merger collects the list of one word.
type merger struct {
	term         []byte
	docs, counts []uint32
	pairs        []uint64
	cursor       cursor
}

// take adds a source's list.
func (m *merger) take(s *source, rising *bool) bool {
	c := &m.cursor
	if !c.open(s.seg, s.list) {
		return false
	}
	at := 0
	for b := range c.blocks() {
		if !c.load(b) {
			return false
		}
		times := c.times()
		for i, d := range c.docs[:c.n] {
			for at < len(s.pieces) && d >= s.pieces[at].from+s.pieces[at].n {
				at++
			}
			if at == len(s.pieces) {
				return true
			}
			p := s.pieces[at]
			if d < p.from {
				continue // of a set that is dropped
			}
			to := p.to + d - p.from
			if n := len(m.docs); n > 0 && m.docs[n-1] > to {
				*rising = false
			}
			m.docs = append(m.docs, to)
			m.counts = append(m.counts, times[i])
		}
	}
	return true
}

func (m *merger) sort() {
	m.pairs = m.pairs[:0]
	for i, d := range m.docs {
		m.pairs = append(m.pairs, uint64(d)<<32|uint64(m.counts[i]))
	}
	slices.Sort(m.pairs)
	for i, p := range m.pairs {
		m.docs[i], m.counts[i] = uint32(p>>32), uint32(p)
	}
}

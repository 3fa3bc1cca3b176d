package lexical

import (
	"context"
	"math"
	"math/bits"
	"slices"

	"portico/internal/retrieval/index"
)

// sweep ranks a large scope, window by window of chunks. In each, impacts tell
// what a word can give at most. Words that together cannot reach the bar are
// only looked up for chunks that others have brought near it; a window in which
// all together cannot is passed over. What is left is scored exactly, so that a
// score does not depend on what was passed over.
type sweep struct {
	norms   []float64 // of lengths
	words   []*reader
	present []*reader // in the window, the least bound first
	scores  [window]float64
	found   bitmap
}

// bitmap marks chunks of the window.
type bitmap [window / 64]uint64

// reader is a cursor within the windows.
type reader struct {
	cursor
	term    int
	weight  float64
	top     float64 // bound of the whole list
	from    int     // the first block that may be in the window
	bound   float64 // of the window
	below   float64 // bounds of this and the lesser ones
	bounded int     // the block that blockTop is of
	blockAt float64
}

const (
	window = 4096
	// slack is more than what sums may differ by when they are added in another
	// order.
	slack = 1 + 1e-9
)

func (w *sweep) rank(ctx context.Context, s *searcher) error {
	w.norms = slices.Grow(w.norms[:0], window)[:window]
	for n := range w.norms {
		w.norms[n] = s.norm(uint16(n))
	}
	for i := range s.views {
		if err := w.view(ctx, s, i); err != nil {
			return err
		}
	}
	return nil
}

func (w *sweep) norm(s *searcher, length uint16) float64 {
	if int(length) < len(w.norms) {
		return w.norms[length]
	}
	return s.norm(length)
}

func (w *sweep) view(ctx context.Context, s *searcher, view int) error {
	v := &s.views[view]
	n := 0
	for t := range s.terms {
		l := s.list(view, t)
		weight := s.weights[s.terms[t].group]
		if l.docs == 0 || weight == 0 {
			continue
		}
		if n == len(w.words) {
			w.words = append(w.words, new(reader))
		}
		r := w.words[n]
		if !r.open(v.seg, l) {
			return nil // release tells
		}
		r.term, r.weight, r.from, r.bounded = t, weight, 0, -1
		if !w.measure(s, r) {
			return nil
		}
		n++
	}
	runs := v.runs
	for len(runs) > 0 && n > 0 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		lo := runs[0].lo
		hi := min(lo+window, uint32(v.seg.docs))
		w.window(s, v.seg, w.words[:n], runs, lo, hi)
		for len(runs) > 0 && runs[0].hi <= hi {
			runs = runs[1:]
		}
		if len(runs) > 0 && runs[0].lo < hi {
			runs[0].lo = hi // the view is not used again
		}
	}
	return nil
}

// measure finds the most that a list can give.
func (w *sweep) measure(s *searcher, r *reader) bool {
	if r.skips != nil {
		r.top = w.worth(s, r, r.whole())
		return true
	}
	if !r.load(0) {
		return false
	}
	r.top = 0
	for i, c := range r.times() {
		r.top = max(r.top, gain(r.weight, float64(c), w.norm(s, r.seg.length(r.docs[i]))))
	}
	return true
}

// worth is the most that impacts give in this scope.
func (w *sweep) worth(s *searcher, r *reader, im impacts) (most float64) {
	for i := 0; i < impactLen && im[i] > 0; i += 2 {
		if im[i] == manyTimes {
			return r.weight
		}
		most = max(most, gain(r.weight, float64(im[i]), w.norm(s, uint16(lengthOf(im[i+1])))))
	}
	return most
}

// place finds where a list is in a window, and what it gives there at most.
func (w *sweep) place(s *searcher, r *reader, lo, hi uint32) {
	r.bound = 0
	n := r.blocks()
	r.from = r.find(r.from, lo)
	if r.from >= n {
		return
	}
	if r.skips == nil {
		r.bound = r.top
		return
	}
	for b := r.from; b < n && (b == r.from || r.last(b-1)+1 < hi); b++ {
		if r.bounded != b {
			r.bounded, r.blockAt = b, w.worth(s, r, r.impacts(b))
		}
		r.bound = max(r.bound, r.blockAt)
	}
}

func (w *sweep) window(s *searcher, seg *segment, words []*reader, runs []run, lo, hi uint32) {
	w.present = w.present[:0]
	for _, r := range words {
		if w.place(s, r, lo, hi); r.bound > 0 {
			at := len(w.present)
			for at > 0 && w.present[at-1].bound > r.bound {
				at--
			}
			w.present = slices.Insert(w.present, at, r)
		}
	}
	sum := 0.0
	for _, r := range w.present {
		sum += r.bound
		r.below = sum
	}
	bar := s.bar()
	minor := 0 // words that cannot reach the bar together
	for minor < len(w.present) && float32(w.present[minor].below*slack) < bar {
		minor++
	}
	if minor == len(w.present) {
		return
	}
	for _, r := range w.present[minor:] {
		if !w.collect(s, r, lo, hi, nil) {
			return
		}
	}
	w.mask(runs, lo)
	for i := minor - 1; i >= 0; i-- {
		r := w.present[i]
		left := w.prune(r.below, bar)
		switch {
		case left == 0:
			return
		case left*lookup < r.within(hi)*blockLen:
			w.check(s, r, lo)
		case !w.collect(s, r, lo, hi, &w.found):
			w.prune(0, float32(math.Inf(1)))
			return
		}
	}
	w.judge(s, seg, lo)
}

// lookup is how many postings are read in the time in which one is looked up.
const lookup = 32

// within gives how many blocks of the list may be in the window.
func (r *reader) within(hi uint32) int {
	b := r.from + 1
	for b < r.blocks() && r.last(b-1)+1 < hi {
		b++
	}
	return b - r.from
}

// collect adds what a word gives to the chunks of the window, or to some of them.
func (w *sweep) collect(s *searcher, r *reader, lo, hi uint32, only *bitmap) bool {
	for b := r.from; b < r.blocks() && (b == r.from || r.last(b-1)+1 < hi); b++ {
		if !r.load(b) {
			return false
		}
		i := 0
		if r.docs[0] < lo {
			i = r.cursor.place(lo)
		}
		times := r.times()
		for ; i < r.n; i++ {
			doc := r.docs[i]
			if doc >= hi {
				break
			}
			at := doc - lo
			if only != nil && only[at>>6]&(1<<(at&63)) == 0 {
				continue
			}
			w.scores[at] += gain(r.weight, float64(times[i]), w.norm(s, r.seg.length(doc)))
			w.found[at>>6] |= 1 << (at & 63)
		}
	}
	return true
}

// check adds what a word gives to the chunks that were found, one by one.
func (w *sweep) check(s *searcher, r *reader, lo uint32) {
	for i, word := range w.found {
		for ; word != 0; word &= word - 1 {
			at := uint32(i<<6 + bits.TrailingZeros64(word))
			if n := r.timesOf(r.from, lo+at); n > 0 {
				w.scores[at] += gain(r.weight, float64(n), w.norm(s, r.seg.length(lo+at)))
			}
		}
	}
}

// mask forgets the chunks that are not in scope.
func (w *sweep) mask(runs []run, lo uint32) {
	if runs[0].lo <= lo && runs[0].hi-lo >= window {
		return
	}
	for i, word := range w.found {
		for ; word != 0; word &= word - 1 {
			at := uint32(i<<6 + bits.TrailingZeros64(word))
			for len(runs) > 0 && runs[0].hi <= lo+at {
				runs = runs[1:]
			}
			if len(runs) == 0 || lo+at < runs[0].lo {
				w.forget(at)
			}
		}
	}
}

// prune forgets the chunks that cannot reach the bar with so much more, and
// gives how many are left.
func (w *sweep) prune(more float64, bar float32) (left int) {
	for i, word := range w.found {
		for ; word != 0; word &= word - 1 {
			at := uint32(i<<6 + bits.TrailingZeros64(word))
			if float32((w.scores[at]+more)*slack) < bar {
				w.forget(at)
			} else {
				left++
			}
		}
	}
	return left
}

func (w *sweep) forget(at uint32) {
	w.found[at>>6] &^= 1 << (at & 63)
	w.scores[at] = 0
}

// judge scores those chunks that were found and may be among the best.
func (w *sweep) judge(s *searcher, seg *segment, lo uint32) {
	set := -1
	for i, word := range w.found {
		for ; word != 0; word &= word - 1 {
			at := uint32(i<<6 + bits.TrailingZeros64(word))
			doc := lo + at
			may := float32(w.scores[at]*slack) >= s.bar()
			w.forget(at)
			if !may {
				continue
			}
			score := w.exact(s, seg, doc)
			if score < s.bar() {
				continue
			}
			if set < 0 || uint32(seg.first(set+1)) <= doc {
				set = seg.setOf(doc)
			}
			s.offer(index.Hit{Set: seg.id(set), N: int(doc) - int(seg.first(set)), Score: score})
		}
	}
}

// exact is the score of a chunk, added in the order of the question's words.
func (w *sweep) exact(s *searcher, seg *segment, doc uint32) float32 {
	norm := w.norm(s, seg.length(doc))
	var counts [maxGroups]uint32
	for _, r := range w.present {
		counts[s.terms[r.term].group] += r.timesOf(r.from, doc)
	}
	score := 0.0
	for g, n := range counts[:len(s.groups)] {
		if n > 0 {
			score += gain(s.weights[g], float64(n), norm)
		}
	}
	return float32(score)
}

package lexical

import (
	"cmp"
	"context"
	"errors"
	"math"
	"runtime/debug"
	"slices"

	"portico/internal/retrieval/index"
)

// BM25 as Lucene has it. A count is in halves of a word, and so is halves × k1.
const (
	k1     = 1.2
	b      = 0.75
	halves = 2
)

// smallScope is how many chunks a scope may have for every one of its postings
// to be looked at. Above it, what cannot be among the best is left out.
const smallScope = 16 << 10

// term is one stem of a word of the question.
type term struct {
	text  string
	group int
	docs  int // chunks of the scope that have it
}

// searcher is a search and the room that it needs, which is used again.
type searcher struct {
	*analyser
	segments []*segment
	views    []view
	runs     []run
	terms    []term
	lists    []list    // of each view, of each term
	rare     []int     // groups, the weightiest first
	weights  []float64 // of each group: how rare it is, times how often it was asked for
	docs     int       // chunks in scope
	average  float64   // their length
	best     []index.Hit
	walker   words
	k        int
	small    int

	dense dense
	sweep sweep
	spare cursor
}

func newSearcher() *searcher { return &searcher{analyser: newAnalyser()} }

// Search implements retrieval.Lexical. How rare a word is, and how long a chunk
// usually is, are counted within the scope, so that the ranking depends on
// nothing else.
func (ix *Index) Search(ctx context.Context, question string, scope index.Scope, k int) ([]index.Hit, error) {
	s := ix.searchers.Get().(*searcher)
	err := ix.rank(ctx, s, question, scope, k)
	if damage := ix.release(s.segments); damage != nil {
		err = damage
	}
	if errors.Is(err, ErrBroken) {
		ix.discard()
		return nil, err // s may be in the middle of something
	}
	defer ix.searchers.Put(s)
	if err != nil || len(s.best) == 0 {
		return nil, err
	}
	slices.SortFunc(s.best, index.Compare)
	return slices.Clone(s.best), nil
}

// rank finds the best. The segments that it took are in s, error or not.
func (ix *Index) rank(ctx context.Context, s *searcher, question string, scope index.Scope, k int) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(&err)
	if err := ix.prepare(s, question, scope); err != nil {
		return err
	}
	s.best, s.k = s.best[:0], min(k, s.docs)
	switch {
	case s.k <= 0 || len(s.terms) == 0:
	case s.docs <= s.small:
		s.dense.rank(s)
	default:
		return s.sweep.rank(ctx, s)
	}
	return nil
}

// prepare takes the segments and counts in the scope.
func (ix *Index) prepare(s *searcher, question string, scope index.Scope) (err error) {
	s.question(question)
	s.terms, s.views, s.runs, s.lists = s.terms[:0], s.views[:0], s.runs[:0], s.lists[:0]
	for i, g := range s.groups {
		for _, t := range g.terms() {
			s.terms = append(s.terms, term{text: t, group: i})
		}
	}
	if s.segments, err = ix.acquire(s.segments[:0]); err != nil {
		return err
	}
	s.docs, s.small = 0, ix.small
	sum := int64(0)
	for _, seg := range s.segments {
		if !seg.ready() {
			continue // release tells
		}
		var v view
		if v, s.runs = look(seg, scope, s.runs); v.docs == 0 {
			continue
		}
		s.docs += v.docs
		sum += v.sum
		s.views = append(s.views, v)
	}
	start := 0
	for i := range s.views {
		v := &s.views[i]
		v.runs, start = s.runs[start:v.ends], v.ends
	}
	s.average = max(1, float64(sum)/float64(max(1, s.docs)))
	for _, v := range s.views {
		for _, t := range s.terms {
			l, _ := v.seg.find(&s.walker, t.text)
			s.lists = append(s.lists, l)
		}
	}
	s.count()
	return nil
}

// count finds in how many chunks of the scope each term is.
func (s *searcher) count() {
	if s.docs <= s.small {
		s.dense.gather(s)
	} else {
		for i := range s.views {
			for t := range s.terms {
				if l := s.list(i, t); l.docs > 0 && s.spare.open(s.views[i].seg, l) {
					s.terms[t].docs += s.views[i].count(&s.spare)
				}
			}
		}
	}
	s.weigh()
}

// weigh finds how rare the words are. The stems of a word are one term, as
// common as the more common of them. Of a long question the rarest words stay:
// the others would cost most and say least.
func (s *searcher) weigh() {
	s.weights, s.rare = s.weights[:0], s.rare[:0]
	for range s.groups {
		s.weights = append(s.weights, 0)
	}
	most := 0
	for t, term := range s.terms {
		if t == 0 || s.terms[t-1].group != term.group {
			most = 0
		}
		if most = max(most, term.docs); most > 0 {
			n, df := float64(s.docs), float64(most)
			s.weights[term.group] = s.groups[term.group].times * math.Log(1+(n-df+0.5)/(df+0.5))
		}
	}
	if len(s.groups) <= maxWeighty {
		return
	}
	for g := range s.weights {
		s.rare = append(s.rare, g)
	}
	slices.SortStableFunc(s.rare, func(a, b int) int { return cmp.Compare(s.weights[b], s.weights[a]) })
	for _, g := range s.rare[maxWeighty:] {
		s.weights[g] = 0
	}
}

func (s *searcher) list(view, term int) list { return s.lists[view*len(s.terms)+term] }

// norm is what the length of a chunk does to its counts.
func (s *searcher) norm(length uint16) float64 {
	return halves * k1 * (1 - b + float64(b*float64(length))/s.average)
}

// gain is what a word that is there so many times gives.
func gain(weight, count, norm float64) float64 { return float64(weight*count) / (count + norm) }

// bar is the score below which nothing is among the best.
func (s *searcher) bar() float32 {
	if len(s.best) < s.k {
		return 0
	}
	return s.best[0].Score
}

// offer puts a hit among the best, if it is. They are a heap, the last first.
func (s *searcher) offer(h index.Hit) {
	if len(s.best) < s.k {
		s.best = append(s.best, h)
		for i := len(s.best) - 1; i > 0; {
			up := (i - 1) / 2
			if index.Compare(s.best[i], s.best[up]) < 0 {
				break
			}
			s.best[i], s.best[up] = s.best[up], s.best[i]
			i = up
		}
		return
	}
	if index.Compare(h, s.best[0]) > 0 {
		return
	}
	s.best[0] = h
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(s.best) {
			return
		}
		if down+1 < len(s.best) && index.Compare(s.best[down+1], s.best[down]) > 0 {
			down++
		}
		if index.Compare(s.best[i], s.best[down]) > 0 {
			return
		}
		s.best[i], s.best[down] = s.best[down], s.best[i]
		i = down
	}
}

// dense ranks a small scope: its chunks are numbered through, and every posting
// among them is looked at.
type dense struct {
	found  []posting
	ends   []int // in found, of each term
	norms  []float64
	scores []float64
}

type posting struct{ at, count uint32 }

// gather finds the postings of each term in the scope, and counts them.
func (d *dense) gather(s *searcher) {
	d.found, d.ends = d.found[:0], d.ends[:0]
	for t := range s.terms {
		start, base := len(d.found), uint32(0)
		for i := range s.views {
			v := &s.views[i]
			if l := s.list(i, t); l.docs > 0 && s.spare.open(v.seg, l) {
				d.pick(&s.spare, v.runs, base)
			}
			base += uint32(v.docs)
		}
		s.terms[t].docs = len(d.found) - start
		d.ends = append(d.ends, len(d.found))
	}
}

func (d *dense) pick(c *cursor, runs []run, base uint32) {
	block := 0
	for _, r := range runs {
		block = c.find(block, r.lo)
		for ; block < c.blocks() && c.load(block); block++ {
			times := c.times()
			for i := c.place(r.lo); i < c.n && c.docs[i] < r.hi; i++ {
				d.found = append(d.found, posting{base + c.docs[i] - r.lo, times[i]})
			}
			if c.last(block) >= r.hi-1 {
				break
			}
		}
		base += r.hi - r.lo
	}
}

func (d *dense) rank(s *searcher) {
	d.norms = d.norms[:0]
	for _, v := range s.views {
		for _, r := range v.runs {
			for doc := r.lo; doc < r.hi; doc++ {
				d.norms = append(d.norms, s.norm(v.seg.length(doc)))
			}
		}
	}
	d.scores = slices.Grow(d.scores[:0], s.docs)[:s.docs]
	clear(d.scores)
	for lo := 0; lo < len(s.terms); {
		hi := lo + 1
		for hi < len(s.terms) && s.terms[hi].group == s.terms[lo].group {
			hi++
		}
		d.score(s.weights[s.terms[lo].group], lo, hi)
		lo = hi
	}
	at := 0
	for _, v := range s.views {
		for _, r := range v.runs {
			at = d.collect(s, v.seg, r, at)
		}
	}
}

// score adds what one word of the question gives.
func (d *dense) score(weight float64, lo, hi int) {
	a := d.postings(lo)
	var other []posting
	if hi-lo > 1 {
		other = d.postings(lo + 1)
	}
	for len(a)+len(other) > 0 {
		var p posting
		switch {
		case len(other) == 0 || len(a) > 0 && a[0].at < other[0].at:
			p, a = a[0], a[1:]
		case len(a) == 0 || other[0].at < a[0].at:
			p, other = other[0], other[1:]
		default:
			p = posting{a[0].at, a[0].count + other[0].count}
			a, other = a[1:], other[1:]
		}
		d.scores[p.at] += gain(weight, float64(p.count), d.norms[p.at])
	}
}

func (d *dense) postings(term int) []posting {
	start := 0
	if term > 0 {
		start = d.ends[term-1]
	}
	return d.found[start:d.ends[term]]
}

func (d *dense) collect(s *searcher, seg *segment, r run, at int) int {
	set := seg.setOf(r.lo)
	for doc := r.lo; doc < r.hi; doc++ {
		score := float32(d.scores[at])
		at++
		if score == 0 || score < s.bar() {
			continue
		}
		for uint32(seg.first(set+1)) <= doc {
			set++
		}
		s.offer(index.Hit{Set: seg.id(set), N: int(doc) - int(seg.first(set)), Score: score})
	}
	return at
}

// Match is what one word of the question gave to a hit.
type Match struct {
	Term  string  // as it is indexed
	Count float64 // occurrences: 1 each in the text, ½ in the context
	Docs  int     // chunks of the scope that have it
	Score float64 // its share of the hit's score
}

// Explain says of each hit of a question in a scope which words brought it, the
// weightiest first. A hit that is not in the index has none.
func (ix *Index) Explain(ctx context.Context, question string, scope index.Scope, hits []index.Hit) ([][]Match, error) {
	s := ix.searchers.Get().(*searcher)
	defer ix.searchers.Put(s)
	if err := ix.prepare(s, question, scope); err != nil {
		return nil, err
	}
	out := make([][]Match, len(hits))
	for i, h := range hits {
		if scope.Has(h.Set) && ctx.Err() == nil {
			out[i] = s.explain(h)
		}
	}
	if err := ix.release(s.segments); err != nil {
		return nil, err
	}
	return out, ctx.Err()
}

func (s *searcher) explain(h index.Hit) (out []Match) {
	for i, v := range s.views {
		at, ok := v.seg.set(h.Set)
		if !ok || h.N < 0 || h.N >= int(v.seg.first(at+1)-v.seg.first(at)) {
			continue
		}
		doc := uint32(int(v.seg.first(at)) + h.N)
		norm := s.norm(v.seg.length(doc))
		for lo := 0; lo < len(s.terms); {
			m := Match{}
			group := s.terms[lo].group
			for ; lo < len(s.terms) && s.terms[lo].group == group; lo++ {
				n := s.times(v.seg, s.list(i, lo), doc)
				if n > 0 && m.Count == 0 {
					m.Term = s.terms[lo].text
				}
				m.Count += float64(n)
				m.Docs = max(m.Docs, s.terms[lo].docs)
			}
			if m.Count > 0 && s.weights[group] > 0 {
				m.Score = gain(s.weights[group], m.Count, norm)
				m.Count /= halves
				out = append(out, m)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Match) int { return cmp.Compare(b.Score, a.Score) })
	return out
}

// times gives how often a list has a chunk.
func (s *searcher) times(seg *segment, l list, doc uint32) uint32 {
	if l.docs == 0 || !s.spare.open(seg, l) {
		return 0
	}
	return s.spare.timesOf(0, doc)
}

// timesOf gives how often the list has a chunk, looking from a block on.
func (c *cursor) timesOf(block int, doc uint32) uint32 {
	block = c.find(block, doc)
	if block >= c.blocks() || !c.load(block) {
		return 0
	}
	if i := c.place(doc); i < c.n && c.docs[i] == doc {
		return c.times()[i]
	}
	return 0
}

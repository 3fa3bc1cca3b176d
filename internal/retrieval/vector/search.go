package vector

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"portico/internal/retrieval/index"
)

const (
	// scanRows is how many rows are a task of a scan: enough to be worth a
	// handover, few enough that cores end together and their distances stay in
	// the cache.
	scanRows = 1 << 14
	// ahead is how many rows before its turn one is asked for.
	ahead = 6
	// closest is how many more than asked for are looked at in full.
	closest = 32
)

// question is what is searched for, in the forms that the steps need.
type question struct {
	vector []float32 // as given
	code   []uint64  // turned, its signs
	wide   []int16   // turned, in steps of scale
	scale  float32
	turned []float32
	small  []int8
}

func (q *question) set(s shape, vector []float32) {
	q.vector = vector
	q.turned = append(q.turned[:0], vector...)
	rotate(q.turned)
	q.code = sized(q.code, s.words)
	code(q.code, q.turned)
	q.small, q.wide = sized(q.small, s.stride), sized(q.wide, s.stride)
	q.scale = quantize(q.small, q.turned)
	for i, v := range q.small {
		q.wide[i] = int16(v)
	}
}

func sized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// candidate is a row that may be a hit.
type candidate struct {
	part  *part
	row   int
	set   int64
	n     int
	score float32
}

func better(a, b candidate) int {
	if a.score != b.score {
		return cmp.Compare(b.score, a.score)
	}
	if a.set != b.set {
		return cmp.Compare(a.set, b.set)
	}
	return cmp.Compare(a.n, b.n)
}

// best keeps the k best candidates, best first.
type best struct {
	k   int
	all []candidate
}

func (b *best) add(c candidate) {
	if len(b.all) == b.k {
		last := &b.all[b.k-1]
		if c.score < last.score {
			return
		}
		c.set, c.n = c.part.at(c.row)
		if better(c, *last) >= 0 {
			return
		}
		b.all = b.all[:b.k-1]
	} else {
		c.set, c.n = c.part.at(c.row)
	}
	i, _ := slices.BinarySearchFunc(b.all, c, better)
	b.all = slices.Insert(b.all, i, c)
}

// task is some spans of one part, of about scanRows rows.
type task struct {
	part  *part
	spans []span
	first int // where its distances begin
}

// search is one search's memory, used again.
type search struct {
	question
	spans     []span
	tasks     []task
	distances []uint16
	workers   []worker
	next      atomic.Int32
	damaged   atomic.Bool
	limit     int // the greatest distance that is looked at closer
	buf       []byte
}

// worker is what one core of a search has for itself.
type worker struct {
	counts [4][]uint32 // of each distance; four, so that one need not wait for another
	near   []int32     // rows of a task that are looked at closer
	best   best
}

// Search gives the k vectors of a scope whose product with the question is the
// greatest. Both should have length 1.
func (x *Index) Search(ctx context.Context, space string, vector []float32, scope index.Scope, k int) (_ []index.Hit, err error) {
	if k <= 0 || len(scope) == 0 || len(vector) == 0 || len(vector) > maxDims {
		return nil, nil
	}
	for _, f := range vector {
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			return nil, fmt.Errorf("vector: the question holds something else than finite numbers")
		}
	}
	cores := max(1, x.opt.Cores/int(x.busy.Add(1)))
	defer x.busy.Add(-1)
	s := x.scratch.Get().(*search)
	defer x.scratch.Put(s)
	defer x.note(&err)
	x.mu.RLock()
	defer x.mu.RUnlock()
	if err := x.usable(); err != nil {
		return nil, err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(&err)
	rows, err := s.plan(x, space, len(vector), scope)
	if rows == 0 || err != nil {
		return nil, err
	}
	s.question.set(shapeOf(len(vector)), vector)
	k = min(k, rows)
	return s.run(ctx, k, min(rows, 2*k+closest), max(x.opt.Candidates, 100*k), min(cores, len(s.tasks)))
}

// plan makes the tasks of a scope and gives how many rows it has.
func (s *search) plan(x *Index, space string, dims int, scope index.Scope) (rows int, err error) {
	s.spans, s.tasks = s.spans[:0], s.tasks[:0]
	at := 0
	each := func(p *part) {
		if p.dims != dims {
			err = fmt.Errorf("vector: a question of %d dimensions in a space of %d", dims, p.dims)
			return
		}
		first := len(s.spans)
		s.spans = p.spans(s.spans, scope)
		rows, at = s.divide(p, first, rows, at)
	}
	for _, seg := range x.segments {
		if seg.space == space {
			each(&seg.part)
		}
	}
	if p := x.fresh[space]; p != nil {
		each(p)
	}
	s.distances = sized(s.distances, at)
	return rows, err
}

// divide makes tasks of the spans of a part, from first on.
func (s *search) divide(p *part, first, rows, at int) (int, int) {
	// Long spans are cut where blocks begin.
	for i := first; i < len(s.spans); i++ {
		if sp := s.spans[i]; sp.to-sp.from > scanRows {
			cut := (sp.from + scanRows) &^ (lanes - 1)
			s.spans[i].to = cut
			s.spans = slices.Insert(s.spans, i+1, span{cut, sp.to})
		}
	}
	for first < len(s.spans) {
		t := task{part: p, first: at}
		last, n := first, 0
		for last < len(s.spans) && (n == 0 || n+s.spans[last].to-s.spans[last].from <= scanRows) {
			sp := s.spans[last]
			n += sp.to - sp.from
			at += covered(sp)
			last++
		}
		rows += n
		t.spans = s.spans[first:last:last]
		s.tasks = append(s.tasks, t)
		first = last
	}
	return rows, at
}

// covered is how many distances the blocks of a span give.
func covered(sp span) int { return (sp.to+lanes-1)&^(lanes-1) - sp.from&^(lanes-1) }

// run does the steps: the nearest candidates by code where there are many rows,
// the best few of them by small vectors, the k best of those in full.
func (s *search) run(ctx context.Context, k, few, candidates, cores int) ([]index.Hit, error) {
	for len(s.workers) < cores {
		s.workers = append(s.workers, worker{})
	}
	team := s.workers[:cores]
	for i := range team {
		team[i].best = best{few, team[i].best.all[:0]}
	}
	s.limit = -1
	rows := 0
	for i := range s.tasks {
		for _, sp := range s.tasks[i].spans {
			rows += sp.to - sp.from
		}
	}
	if rows > 4*candidates {
		if err := s.each(ctx, team, s.measure); err != nil {
			clear(s.workers) // their counts are of half a search
			return nil, err
		}
		s.limit = s.threshold(team, candidates)
	}
	if err := s.each(ctx, team, s.weigh); err != nil {
		return nil, err
	}
	found := &team[0].best
	for _, w := range team[1:] {
		for _, c := range w.best.all {
			found.add(c)
		}
	}
	return s.finish(found.all, k)
}

// each has the team do every task, whoever is free the next one.
func (s *search) each(ctx context.Context, team []worker, do func(w *worker, t *task)) error {
	s.next.Store(0)
	s.damaged.Store(false)
	var others sync.WaitGroup
	for i := range team[1:] {
		others.Go(func() { s.labour(ctx, &team[1+i], do) })
	}
	s.labour(ctx, &team[0], do)
	others.Wait()
	if s.damaged.Load() {
		return ErrBroken
	}
	return ctx.Err()
}

// labour does tasks until there are none.
func (s *search) labour(ctx context.Context, w *worker, do func(w *worker, t *task)) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer s.caught()
	for {
		i := int(s.next.Add(1)) - 1
		if i >= len(s.tasks) || ctx.Err() != nil {
			return
		}
		do(w, &s.tasks[i])
	}
}

// caught notes a fault of memory for the others.
func (s *search) caught() {
	if isFault(recover()) {
		s.damaged.Store(true)
	}
}

// measure counts how far each row of a task is, by its code.
func (s *search) measure(w *worker, t *task) {
	p, at := t.part, t.first
	bins := 64*p.words + 1
	for i := range w.counts {
		if len(w.counts[i]) != bins {
			w.counts[i] = make([]uint32, bins)
		}
	}
	for _, sp := range t.spans {
		n, block := covered(sp), sp.from/lanes
		d := s.distances[at : at+n]
		distances(d, p.codes[block*lanes*p.words:(block+n/lanes)*lanes*p.words], s.code)
		at += n
		skip := sp.from % lanes
		count(&w.counts, d[skip:skip+sp.to-sp.from])
	}
}

func count(counts *[4][]uint32, d []uint16) {
	a, b, c, e := counts[0], counts[1], counts[2], counts[3]
	for len(d) >= 4 {
		a[d[0]]++
		b[d[1]]++
		c[d[2]]++
		e[d[3]]++
		d = d[4:]
	}
	for _, v := range d {
		a[v]++
	}
}

// threshold is the distance within which there are enough candidates. It
// leaves the counts empty.
func (s *search) threshold(team []worker, candidates int) int {
	limit, seen := 0, 0
	for i := 0; i <= 64*len(s.code); i++ {
		for w := range team {
			for _, counts := range team[w].counts {
				if i < len(counts) {
					seen += int(counts[i])
					counts[i] = 0
				}
			}
		}
		if limit == 0 && seen >= candidates {
			limit = i + 1
		}
	}
	return limit - 1
}

// weigh looks closer at the rows of a task that are near enough.
func (s *search) weigh(w *worker, t *task) {
	p, at := t.part, t.first
	w.near = w.near[:0]
	for _, sp := range t.spans {
		if s.limit < 0 {
			for row := sp.from; row < sp.to; row++ {
				w.best.add(candidate{part: p, row: row, score: p.score(row, &s.question)})
			}
			continue
		}
		skip, limit := sp.from%lanes, uint16(s.limit)
		for i, d := range s.distances[at+skip : at+skip+sp.to-sp.from] {
			if d <= limit {
				w.near = append(w.near, int32(sp.from+i))
			}
		}
		at += covered(sp)
	}
	// They are far apart: the memory is asked some rows ahead.
	for i, row := range w.near {
		if i+ahead < len(w.near) {
			prefetch(p.smallOf(int(w.near[i+ahead])))
		}
		w.best.add(candidate{part: p, row: int(row), score: p.score(int(row), &s.question)})
	}
}

// finish looks at the best few in full.
func (s *search) finish(few []candidate, k int) ([]index.Hit, error) {
	s.buf = sized(s.buf, 2*len(s.vector))
	for i := range few {
		c := &few[i]
		score, err := c.part.exact(c.row, &s.question, s.buf)
		if err != nil {
			return nil, err
		}
		c.score = score
	}
	slices.SortFunc(few, better)
	hits := make([]index.Hit, min(k, len(few)))
	for i := range hits {
		hits[i] = index.Hit{Set: few[i].set, N: few[i].n, Score: few[i].score}
	}
	return hits, nil
}

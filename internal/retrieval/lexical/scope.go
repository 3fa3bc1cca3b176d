package lexical

import (
	"slices"

	"portico/internal/retrieval/index"
)

// run is chunks of a segment that stand together and are all in scope.
type run struct{ lo, hi uint32 }

// view is what a scope shows of a segment.
type view struct {
	seg  *segment
	runs []run
	ends int // among the runs of all views
	docs int
	sum  int64 // of lengths
}

func (v *view) whole() bool { return v.docs == v.seg.docs }

// look finds the sets of a scope in a segment, and appends their runs to some.
// It costs the lesser of both, and the logarithm of the other.
func look(s *segment, scope index.Scope, runs []run) (view, []run) {
	v := view{seg: s}
	if s.sets() == 0 {
		return v, runs
	}
	start := len(runs)
	i, _ := slices.BinarySearch(scope, s.id(0))
	for j := 0; i < len(scope) && j < s.sets(); {
		switch id := s.id(j); {
		case scope[i] < id:
			i = from(scope, i, id)
		case scope[i] > id:
			j = s.setFrom(j, scope[i])
		default:
			lo, hi := uint32(s.first(j)), uint32(s.first(j+1))
			v.docs += int(hi - lo)
			v.sum += s.sum(j+1) - s.sum(j)
			if n := len(runs); n > start && runs[n-1].hi == lo {
				runs[n-1].hi = hi
			} else if hi > lo {
				runs = append(runs, run{lo, hi})
			}
			i++
			j++
		}
	}
	v.ends = len(runs)
	return v, runs
}

// from gives the place of the first id from i on that is at least id.
func from(scope index.Scope, i int, id int64) int {
	step := 1
	for i+step < len(scope) && scope[i+step] < id {
		step *= 2
	}
	at, _ := slices.BinarySearch(scope[i:min(i+step+1, len(scope))], id)
	return i + at
}

// count gives how many of a list's chunks are in the view. Blocks that are
// wholly in scope, or wholly out of it, are not looked into.
func (v *view) count(c *cursor) int {
	if v.whole() {
		return c.list.docs
	}
	n, r := 0, 0
	for b := 0; b < c.blocks(); b++ {
		lo, hi := uint32(0), c.last(b)
		if b > 0 {
			lo = c.last(b-1) + 1
		}
		for r < len(v.runs) && v.runs[r].hi <= lo {
			r++
		}
		if r == len(v.runs) {
			break
		}
		switch {
		case v.runs[r].lo > hi:
			b = c.find(b, v.runs[r].lo) - 1
		case v.runs[r].lo <= lo && hi < v.runs[r].hi && c.skips != nil:
			n += min(blockLen, c.list.docs-b*blockLen)
		case c.load(b):
			n += countIn(c.docs[:c.n], v.runs[r:])
		default:
			return n
		}
	}
	return n
}

func countIn(docs []uint32, runs []run) (n int) {
	r := 0
	for _, d := range docs {
		for r < len(runs) && runs[r].hi <= d {
			r++
		}
		if r == len(runs) {
			break
		}
		if runs[r].lo <= d {
			n++
		}
	}
	return n
}

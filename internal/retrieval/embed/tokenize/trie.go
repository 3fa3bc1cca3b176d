package tokenize

import (
	"cmp"
	"slices"
)

// trie finds which pieces of a vocabulary a text begins with. Nodes lie level
// by level, the children of a node side by side and in order, so that a quarter
// of a million pieces take a few megabytes.
type trie struct {
	label []byte
	piece []int32 // number of the piece that ends here, or -1
	child []uint32
	root  [256]uint32 // the nodes below the root; 0 is none
}

// newTrie makes a trie of pieces, whose numbers are their places.
func newTrie(pieces []string) *trie {
	type span struct{ from, to, depth int } // of sorted, that share depth bytes
	sorted := make([]int32, 0, len(pieces))
	for i, p := range pieces {
		if p != "" {
			sorted = append(sorted, int32(i))
		}
	}
	// Of equal pieces the later one counts.
	slices.SortStableFunc(sorted, func(a, b int32) int { return cmp.Compare(pieces[a], pieces[b]) })
	t := &trie{label: make([]byte, 1), piece: []int32{-1}, child: make([]uint32, 1)}
	queue := []span{{0, len(sorted), 0}}
	for node := 0; node < len(queue); node++ {
		s := queue[node]
		for s.from < s.to && len(pieces[sorted[s.from]]) == s.depth {
			t.piece[node] = sorted[s.from]
			s.from++
		}
		t.child[node] = uint32(len(queue))
		for s.from < s.to {
			b, to := pieces[sorted[s.from]][s.depth], s.from+1
			for to < s.to && pieces[sorted[to]][s.depth] == b {
				to++
			}
			if node == 0 {
				t.root[b] = uint32(len(queue))
			}
			queue = append(queue, span{s.from, to, s.depth + 1})
			t.label = append(t.label, b)
			t.piece = append(t.piece, -1)
			t.child = append(t.child, 0)
			s.from = to
		}
	}
	t.child = append(t.child, uint32(len(queue)))
	return t
}

// next is the node behind node for a byte, or 0.
func (t *trie) next(node uint32, b byte) uint32 {
	if node == 0 {
		return t.root[b]
	}
	from, to := t.child[node], t.child[node+1]
	for to-from > 8 {
		if mid := (from + to) / 2; t.label[mid] <= b {
			from = mid
		} else {
			to = mid
		}
	}
	for ; from < to; from++ {
		if t.label[from] == b {
			return from
		}
	}
	return 0
}

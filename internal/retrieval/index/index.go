// Package index is what the two indexes, lexical and vector, have in common
// with whoever asks them: the scope of a search and its hits. It holds no
// index.
package index

import "slices"

// Scope is the ids of the sets that a search may look at, rising and without
// repetition. Whoever makes one has already judged the caller's rights.
type Scope []int64

// Has reports whether the set may be looked at.
func (s Scope) Has(set int64) bool {
	_, ok := slices.BinarySearch(s, set)
	return ok
}

// Hit is one chunk that was found: the higher the score, the better. Equal
// scores are in the order of set and number.
type Hit struct {
	Set   int64
	N     int // number of the chunk in its set
	Score float32
}

// Text is one chunk as the words of it are found: Context counts too, for less.
type Text struct{ Text, Context string }

// Compare orders hits, best first.
func Compare(a, b Hit) int {
	switch {
	case a.Score != b.Score && a.Score > b.Score:
		return -1
	case a.Score != b.Score:
		return 1
	case a.Set != b.Set:
		return int(min(1, max(-1, a.Set-b.Set)))
	}
	return a.N - b.N
}

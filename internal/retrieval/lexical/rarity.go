package lexical

import (
	"math"

	"portico/internal/retrieval/index"
)

// Rarity is what a word weighs that one chunk of the scope has alone: scores
// are measured by it where they are compared with others than their own. It
// grows with the logarithm of the number of chunks.
func (ix *Index) Rarity(scope index.Scope) (float64, error) {
	segments, err := ix.acquire(nil)
	if err != nil {
		return 0, err
	}
	docs := 0
	var runs []run
	for _, seg := range segments {
		if seg.ready() {
			var v view
			v, runs = look(seg, scope, runs[:0])
			docs += v.docs
		}
	}
	if err := ix.release(segments); err != nil {
		return 0, err
	}
	return math.Log(1 + (max(float64(docs), 1)-0.5)/1.5), nil
}

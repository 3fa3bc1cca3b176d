package lexical

import (
	"errors"
	"math"
	"runtime/debug"

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
	docs, err := chunksOf(segments, scope)
	if damage := ix.release(segments); damage != nil {
		err = damage
	}
	if errors.Is(err, ErrBroken) {
		ix.discard()
	}
	if err != nil {
		return 0, err
	}
	return math.Log(1 + (max(float64(docs), 1)-0.5)/1.5), nil
}

// chunksOf counts the chunks of a scope.
func chunksOf(segments []*segment, scope index.Scope) (docs int, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(&err)
	var runs []run
	for _, seg := range segments {
		if seg.ready() {
			var v view
			v, runs = look(seg, scope, runs[:0])
			docs += v.docs
		}
	}
	return docs, nil
}

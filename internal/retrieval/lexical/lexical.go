package lexical

import (
	"context"
	"errors"

	"portico/internal/retrieval/index"
)

// ErrBroken says that a file of the index turned out damaged. The index is then
// empty and Seq is 0: whoever owns it adds everything again.
var ErrBroken = errors.New("lexical: a file of the index is damaged; it is being made anew from the database")

// Options of an index; zero values choose.
type Options struct {
	// Memory bounds, in bytes, what is kept before it is written to disk.
	Memory int
}

// Index is an inverted index in a folder. Its methods may be called at once
// from many goroutines.
type Index struct{}

// Match is what one word of the question gave to a hit.
type Match struct {
	Term  string  // as it is indexed
	Count float32 // occurrences: 1 each in the text, less in the context
	Docs  int     // chunks of the scope that have it
	Score float32 // its share of the hit's score
}

// Open opens the index in dir, or makes one. What is there but is damaged, or
// belongs to another instance, is thrown away.
func Open(dir, instance string, opt Options) (*Index, error) { return &Index{}, nil }

// Add implements retrieval.Lexical. Sets come in the order of their sequence
// numbers.
func (ix *Index) Add(ctx context.Context, set, seq int64, chunks []index.Text) error { return nil }

// Seq implements retrieval.Lexical.
func (ix *Index) Seq() int64 { return 0 }

// Search implements retrieval.Lexical.
func (ix *Index) Search(ctx context.Context, question string, scope index.Scope, k int) ([]index.Hit, error) {
	return nil, nil
}

// Explain says of each hit of a question in a scope which words brought it. A
// hit that is not in the index has none.
func (ix *Index) Explain(ctx context.Context, question string, scope index.Scope, hits []index.Hit) ([][]Match, error) {
	return make([][]Match, len(hits)), nil
}

// Compact writes anew the files with sets that are no longer there: live gives
// those of some ids that are.
func (ix *Index) Compact(ctx context.Context, live func([]int64) index.Scope) error { return nil }

// Close writes what is only in memory and ends the work in the background.
func (ix *Index) Close() error { return nil }

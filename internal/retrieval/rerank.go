package retrieval

import "context"

const (
	rerankDepth    = 30  // passages that a reranker orders, at least
	relevantRerank = 0.5 // its score from which a passage is likely about the question
)

// Reranker orders passages by how well they answer a question.
type Reranker interface {
	// Ready reports whether one is set up.
	Ready() bool
	// Rerank gives the passages best first, with scores from 0 to 1. None is
	// lost.
	Rerank(ctx context.Context, question string, passages []Passage) ([]Passage, error)
}

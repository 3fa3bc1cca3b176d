package retrieval

import (
	"cmp"
	"context"
	"slices"
)

const (
	rerankDepth    = 30  // passages that a reranker orders, at least
	relevantRerank = 0.5 // its score from which a passage is likely about the question
)

// Reranker says how well texts answer a question.
type Reranker interface {
	// Ready reports whether one is set up.
	Ready() bool
	// Scores gives one score for each text, 0…1.
	Scores(ctx context.Context, question string, texts []string) ([]float64, error)
}

// reranked gives passages in the order of the reranker, best first.
func (s *Service) reranked(ctx context.Context, question string, passages []Passage) ([]Passage, error) {
	texts := make([]string, len(passages))
	for i, p := range passages {
		if texts[i] = p.Text; p.Context != "" {
			texts[i] = p.Context + "\n" + p.Text
		}
	}
	scores, err := s.cfg.Rerank.Scores(ctx, question, texts)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(passages)
	for i := range out {
		out[i].Score = scores[i]
	}
	slices.SortStableFunc(out, func(a, b Passage) int { return cmp.Compare(b.Score, a.Score) })
	return out, nil
}

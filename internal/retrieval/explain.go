package retrieval

import (
	"context"
	"slices"

	"portico/internal/access"
)

// Explanation is why a search gave what it gave.
type Explanation struct {
	Plan struct {
		K         int     `json:"k"`
		RerankK   int     `json:"k_reranker"`
		Hybrid    bool    `json:"hybrid"`
		Weight    float64 `json:"hybrid_bm25_weight"`
		Threshold float64 `json:"r"`
	} `json:"plan"`
	Chunks   []ExplainedChunk `json:"chunks"`
	Context  []Passage        `json:"-"` // what a chat would get, in order
	Warnings []string         `json:"warnings"`
	// NothingRelevant is whether the passages are likely about something else.
	NothingRelevant bool `json:"nothing_relevant"`
}

// ExplainedChunk is how far one chunk came. Ranks count from 1; 0 is "not
// found there".
type ExplainedChunk struct {
	Passage    Passage `json:"-"`
	WordsRank  int     `json:"lexical_rank"`
	Words      float32 `json:"lexical_score"` // BM25
	VectorRank int     `json:"vector_rank"`
	Cosine     float32 `json:"vector_score"`
	FusedRank  int     `json:"fused_rank"`
	Fused      float64 `json:"fused_score"` // 0…1
	RerankRank int     `json:"rerank_rank"`
	Rerank     float64 `json:"rerank_score"`
	Kept       bool    `json:"kept"`
	Why        string  `json:"why"` // it was kept or dropped
}

// explained is how many candidates an explanation names.
const explained = 50

// trace is what happened on the way.
type trace struct {
	plan   plan
	hits   []candidate
	rerank map[place]reranked
	drops  map[place]string
}

type reranked struct {
	rank  int
	score float64
}

func (t *trace) ranked(hits []candidate) { t.hits = hits }

func (t *trace) reranked(all []Passage) {
	t.rerank = map[place]reranked{}
	for i, p := range all {
		t.rerank[place{p.Set, p.N}] = reranked{i + 1, p.Score}
	}
}

func (t *trace) drop(p place, why string) {
	if t.drops == nil {
		t.drops = map[place]string{}
	}
	t.drops[p] = why
}

// Explain is Search that says why.
func (s *Service) Explain(ctx context.Context, who *access.Principal, collections []string, q Question) (*Explanation, error) {
	found, err := s.Find(ctx, who, collections, q)
	if err != nil {
		return nil, err
	}
	t := found.trace
	out := &Explanation{Chunks: []ExplainedChunk{}, Context: found.Passages, Warnings: found.Warnings,
		NothingRelevant: slices.Contains(found.Warnings, warnNotRelevant)}
	out.Plan.K, out.Plan.RerankK, out.Plan.Hybrid = t.plan.k, t.plan.rerankK, t.plan.hybrid
	out.Plan.Weight, out.Plan.Threshold = t.plan.weight, t.plan.threshold
	hits := t.hits[:min(len(t.hits), explained)]
	all, err := s.readPassages(ctx, hits, len(hits), &trace{})
	if err != nil {
		return nil, err
	}
	byPlace, kept := map[place]Passage{}, map[place]bool{}
	for _, p := range all {
		byPlace[place{p.Set, p.N}] = p
	}
	for _, p := range found.Passages {
		kept[place{p.Set, p.N}] = true
		byPlace[place{p.Set, p.N}] = p
	}
	for i, h := range hits {
		c := ExplainedChunk{
			Passage: byPlace[h.place], WordsRank: h.wordsRank, Words: h.words, VectorRank: h.meaningRank, Cosine: h.meaning,
			FusedRank: i + 1, Fused: h.score, Kept: kept[h.place],
			RerankRank: t.rerank[h.place].rank, Rerank: t.rerank[h.place].score,
		}
		switch {
		case c.Kept:
			c.Why = "among the best"
		case t.drops[h.place] != "":
			c.Why = t.drops[h.place]
		default:
			c.Why = "beyond the number of passages asked for"
		}
		if c.Passage.Text == "" {
			c.Passage = Passage{Set: h.set, N: h.n}
		}
		out.Chunks = append(out.Chunks, c)
	}
	return out, nil
}

package retrieval

import (
	"cmp"
	"slices"

	"portico/internal/retrieval/index"
)

// The constants of fusion. They were chosen by measurement on the corpus of
// `portico eval`; change them together with a run of it.
const (
	// depthFactor is how many hits each index gives for one passage wanted,
	// within least and most.
	depthFactor = 8
	depthLeast  = 50
	depthMost   = 400
	// halfWords is the BM25 score, in words that one chunk has alone, that is
	// worth half of what words can give.
	halfWords = 3
	// foreignTrust is what a vector counts for where the model that made it does
	// not know the language of the question: such vectors are near each other
	// for their language more than for what they say.
	foreignTrust = 0.15
	// relevant is the strength of the best hits from which they are likely about
	// the question, relevantForeign the same where vectors say little.
	relevant        = 0.40
	relevantForeign = 0.12
	wordsStrength   = 0.30 // of a word that one chunk has alone, beside a cosine
)

func depth(k int) int { return min(max(k*depthFactor, depthLeast), depthMost) }

// place is a chunk.
type place struct {
	set int64
	n   int
}

// candidate is a chunk that at least one index found.
type candidate struct {
	place
	words, meaning         float32 // as the indexes scored it: BM25, cosine
	wordsRank, meaningRank int     // from 1; 0 where that index did not give it
	score                  float64 // 0…1
}

// scales say what the scores of the two indexes are worth for one question.
type scales struct {
	weight float64 // of words, 0…1
	rarity float64 // BM25 of a word that one chunk of the scope has alone
	trust  float64 // in vectors, 0…1
}

// fuse joins what the two indexes found for the wordings of one question into
// one list, best first. Both scores count as they are, not by rank: BM25 by how
// many telling words were found, saturating, and the cosine. So a clear winner
// on one side stays one, and a side that found nothing good does not push its
// best forward.
func fuse(words, meaning [][]index.Hit, by scales) []candidate {
	all := map[place]*candidate{}
	at := func(h index.Hit) *candidate {
		p := place{h.Set, h.N}
		if all[p] == nil {
			all[p] = &candidate{place: p}
		}
		return all[p]
	}
	for _, hits := range words {
		for rank, h := range hits {
			c := at(h)
			c.words = max(c.words, h.Score)
			c.wordsRank = best(c.wordsRank, rank+1)
		}
	}
	for _, hits := range meaning {
		for rank, h := range hits {
			c := at(h)
			if c.meaningRank == 0 || h.Score > c.meaning {
				c.meaning = h.Score
			}
			c.meaningRank = best(c.meaningRank, rank+1)
		}
	}
	switch {
	case len(meaning) == 0:
		by.weight = 1
	case len(words) == 0:
		by.weight, by.trust = 0, 1
	}
	out := make([]candidate, 0, len(all))
	for _, c := range all {
		told := float64(c.words) / (halfWords * max(by.rarity, 1e-6))
		c.score = by.weight*told/(1+told) + (1-by.weight)*by.trust*max(0, float64(c.meaning))
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.meaning, a.meaning), cmp.Compare(a.set, b.set), cmp.Compare(a.n, b.n))
	})
	return out
}

func best(a, b int) int {
	if a == 0 || b < a {
		return b
	}
	return a
}

// confidence is how likely the best candidates are about the question at all,
// 0…1, and whether they are likely enough: by the best cosine and the best BM25
// score together.
func confidence(hits []candidate, by scales) (sure float64, about bool) {
	cosine, words, vectors := 0.0, 0.0, false
	for _, h := range hits {
		cosine, words = max(cosine, float64(h.meaning)), max(words, float64(h.words))
		vectors = vectors || h.meaningRank > 0
	}
	told := wordsStrength * words / max(by.rarity, 1e-6)
	strength := told + by.trust*cosine
	least := relevant
	if !vectors || by.trust < 1 {
		least = relevantForeign
	}
	return min(1, (1+max(by.trust*cosine, min(1, strength)))/2), strength >= least
}

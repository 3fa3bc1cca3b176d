package retrieval

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

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
	// relevantCosine is the cosine of question and passage from which the
	// passage is likely about it, relevantWords the share of the question's
	// words that it has to hold otherwise.
	relevantCosine = 0.30
	relevantWords  = 0.60
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
	share                  float32 // of words: 0…1, of the best in its wording
	score                  float64
}

// fuse joins what the two indexes found for the wordings of one question into
// one list, best first. weight is that of words, 0…1. Both scores are brought
// to 0…1 first: BM25 by the best of its wording, cosines between the last and
// the best that were found. So a clear winner on one side stays one, which
// joining by rank alone would not keep.
func fuse(words, meaning [][]index.Hit, weight float64) []candidate {
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
			if share := h.Score / max(hits[0].Score, 1e-9); c.wordsRank == 0 || share > c.share {
				c.words, c.share = h.Score, share
			}
			c.wordsRank = best(c.wordsRank, rank+1)
		}
	}
	low, high := float32(1), float32(-1)
	for _, hits := range meaning {
		for rank, h := range hits {
			c := at(h)
			if c.meaningRank == 0 || h.Score > c.meaning {
				c.meaning = h.Score
			}
			c.meaningRank = best(c.meaningRank, rank+1)
			low, high = min(low, h.Score), max(high, h.Score)
		}
	}
	if len(words) == 0 {
		weight = 0
	}
	if high < low {
		weight = 1 // no vectors were found
	}
	out := make([]candidate, 0, len(all))
	for _, c := range all {
		near := float64(1)
		switch {
		case c.meaningRank == 0:
			near = 0
		case high > low:
			near = float64((c.meaning - low) / (high - low))
		}
		c.score = weight*float64(c.share) + (1-weight)*near
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.set, b.set), cmp.Compare(a.n, b.n))
	})
	return out
}

func best(a, b int) int {
	if a == 0 || b < a {
		return b
	}
	return a
}

// confidence is how likely the best passages are about the question at all,
// 0…1, and whether they are likely enough: by the best cosine, or by the share
// of the question's words that one of the first passages holds.
func confidence(question string, cosine float32, found bool, passages []Passage) (sure float64, relevant bool) {
	if found {
		sure = float64(1+cosine) / 2
		relevant = cosine >= relevantCosine
	}
	for _, p := range passages[:min(len(passages), 3)] {
		share := coverage(question, p.Context+"\n"+p.Text)
		sure = max(sure, share)
		relevant = relevant || share >= relevantWords
	}
	return sure, relevant
}

// coverage is the share of the question's words, without the usual ones, that
// a text holds. Words are alike when they begin alike.
func coverage(question, text string) float64 {
	wanted := stems(question, true)
	if len(wanted) == 0 {
		wanted = stems(question, false)
	}
	if len(wanted) == 0 {
		return 0
	}
	held := stems(text, false)
	n := 0
	for w := range wanted {
		if held[w] {
			n++
		}
	}
	return float64(n) / float64(len(wanted))
}

// stems are the beginnings of the words of a text.
func stems(text string, telling bool) map[string]bool {
	const most = 6 // letters of a word that count
	out := map[string]bool{}
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if telling && usual[word] {
			continue
		}
		if r := []rune(word); len(r) > most {
			word = string(r[:most])
		}
		out[word] = true
	}
	return out
}

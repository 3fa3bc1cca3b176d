package eval

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Score sums up how questions of one kind went.
type Score struct {
	Kind      string  `json:"kind"`
	Questions int     `json:"questions"`
	Hit1      float64 `json:"hit@1"` // share whose first passage answers
	Hit3      float64 `json:"hit@3"`
	Hit10     float64 `json:"hit@10"`
	MRR       float64 `json:"mrr"`        // mean of 1/rank within ten
	FileHit3  float64 `json:"file_hit@3"` // share with the right file among three
	// Honest is of unanswerable questions the share of which it was said that
	// nothing seems relevant; of the others, the share of which that was said
	// wrongly.
	Honest float64 `json:"nothing_relevant"`
}

// Result is how one question went under one way to search.
type Result struct {
	Question *Question
	Answer   int // rank, 0 is not found
	File     int
	Nothing  bool // it was said that nothing seems relevant
}

// All is the kind of the line that sums up the answerable questions.
const All = "all answerable"

// Scores sums up results by kind, in the order in which kinds appear, and over
// all answerable ones.
func Scores(results []Result) []Score {
	var kinds []string
	by := map[string][]Result{}
	for _, r := range results {
		if by[r.Question.Kind] == nil {
			kinds = append(kinds, r.Question.Kind)
		}
		by[r.Question.Kind] = append(by[r.Question.Kind], r)
		if r.Question.Answerable() {
			by[All] = append(by[All], r)
		}
	}
	if len(by[All]) > 0 && !slices.Contains(kinds, All) {
		kinds = append(kinds, All)
	}
	all := make([]Score, 0, len(kinds))
	for _, kind := range kinds {
		all = append(all, sum(kind, by[kind]))
	}
	return all
}

func sum(kind string, results []Result) Score {
	s := Score{Kind: kind, Questions: len(results)}
	one := 1 / float64(len(results))
	for _, r := range results {
		within := func(rank, n int) float64 {
			if rank > 0 && rank <= n {
				return one
			}
			return 0
		}
		s.Hit1 += within(r.Answer, 1)
		s.Hit3 += within(r.Answer, 3)
		s.Hit10 += within(r.Answer, 10)
		s.FileHit3 += within(r.File, 3)
		if r.Answer > 0 && r.Answer <= 10 {
			s.MRR += one / float64(r.Answer)
		}
		if r.Nothing {
			s.Honest += one
		}
	}
	return s
}

// Print writes scores as a table.
func Print(w io.Writer, scores []Score) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "kind\tquestions\thit@1\thit@3\thit@10\tMRR\tfile hit@3\tnothing relevant\t")
	for _, s := range scores {
		fmt.Fprintf(t, "%s\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t\n", s.Kind, s.Questions, s.Hit1, s.Hit3, s.Hit10, s.MRR, s.FileHit3, s.Honest)
	}
	return t.Flush()
}

// Percentile gives the duration that a share of all does not exceed.
func Percentile(all []time.Duration, share float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// Misses lists the answerable questions whose answer is not among the first n.
func Misses(results []Result, n int) string {
	var b strings.Builder
	for _, r := range results {
		if r.Question.Answerable() && (r.Answer == 0 || r.Answer > n) {
			fmt.Fprintf(&b, "  %s (%s, rank %d, file %d): %s\n", r.Question.ID, r.Question.Kind, r.Answer, r.File, r.Question.Question)
		}
	}
	return b.String()
}

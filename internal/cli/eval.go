package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"portico/internal/eval"
)

// The ways to search that are judged: each alone, and what a chat gets.
var ways = []string{"lexical", "vector", "hybrid"}

func evalCommand(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "eval FILE",
		Short: "Judge the retrieval of a collection by golden questions, on a running server",
		Long: "Judge the retrieval of a collection by golden questions, on a running server.\n" +
			"FILE has one question a line, as JSON:\n" +
			`  {"id":"q1","kind":"table","question":"…","file":"prices.csv","answer":"text of the passage"}` + "\n" +
			"Without file and answer, a question counts as one that nothing answers.",
		Example: "  portico eval questions.jsonl --knowledge handbook\n  portico eval questions.jsonl --knowledge handbook --least 0.8 --misses",
		Args:    cobra.ExactArgs(1),
	}
	knowledge := c.Flags().String("knowledge", "", "id or name of the collection")
	least := c.Flags().Float64("least", 0, "fail when hit@3 of all answerable questions is below this")
	misses := c.Flags().Bool("misses", false, "list the questions whose answer is not among the first three")
	_ = c.MarkFlagRequired("knowledge") // the flag is there
	return onRemote(env, c, func(cmd *cobra.Command, r *remote, args []string) error {
		f, err := os.Open(args[0])
		if err != nil {
			return wrong{err}
		}
		defer f.Close()
		questions, err := eval.Read(f)
		if err != nil {
			return wrong{fmt.Errorf("%s: %w", args[0], err)}
		}
		k, err := r.collection(cmd.Context(), *knowledge)
		if err != nil {
			return err
		}
		e := &evaluation{remote: r, collection: k.ID, results: map[string][]eval.Result{}}
		for i := range questions {
			if err := e.ask(cmd.Context(), &questions[i]); err != nil {
				return fmt.Errorf("question %s: %w", questions[i].ID, err)
			}
		}
		return e.report(cmd, *least, *misses)
	})
}

// evaluation asks questions of one collection.
type evaluation struct {
	remote     *remote
	collection string
	results    map[string][]eval.Result // by way
	took       []time.Duration          // of the search of a chat, with the way there and back
}

// explained is the part of POST /api/v1/retrieval/explain that is judged.
type explained struct {
	Chunks []struct {
		Document string `json:"document"`
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Lexical int `json:"lexical_rank"`
		Vector  int `json:"vector_rank"`
		Fused   int `json:"fused_rank"`
		Rerank  int `json:"rerank_rank"`
	} `json:"chunks"`
	NothingRelevant bool `json:"nothing_relevant"`
}

// judged is how many passages count.
const judged = 10

func (e *evaluation) ask(ctx context.Context, q *eval.Question) error {
	began := time.Now()
	body := map[string]any{"collection_names": []string{e.collection}, "query": q.Question, "hybrid": true}
	if err := e.remote.call(ctx, http.MethodPost, "/api/v1/retrieval/query/collection", body, new(json.RawMessage)); err != nil {
		return err
	}
	e.took = append(e.took, time.Since(began))
	body["k"] = judged
	var x explained
	if err := e.remote.call(ctx, http.MethodPost, "/api/v1/retrieval/explain", body, &x); err != nil {
		return err
	}
	for _, way := range ways {
		result := eval.Result{Question: q, Nothing: x.NothingRelevant && way == "hybrid"}
		result.Answer, result.File = eval.Rank(q, x.order(way))
		e.results[way] = append(e.results[way], result)
	}
	return nil
}

// order gives the passages as one way ranks them.
func (x *explained) order(way string) []eval.Passage {
	type ranked struct {
		rank int
		eval.Passage
	}
	var all []ranked
	for _, c := range x.Chunks {
		rank := map[string]int{"lexical": c.Lexical, "vector": c.Vector, "hybrid": cmp.Or(c.Rerank, c.Fused)}[way]
		if rank > 0 && rank <= judged {
			all = append(all, ranked{rank, eval.Passage{File: c.Metadata.Name, Text: c.Document}})
		}
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return a.rank - b.rank })
	out := make([]eval.Passage, len(all))
	for i := range all {
		out[i] = all[i].Passage
	}
	return out
}

func (e *evaluation) report(cmd *cobra.Command, least float64, misses bool) error {
	out := cmd.OutOrStdout()
	scores := map[string][]eval.Score{}
	for _, way := range ways {
		scores[way] = eval.Scores(e.results[way])
	}
	p50, p95 := eval.Percentile(e.took, 0.5), eval.Percentile(e.took, 0.95)
	if jsonWanted(cmd) {
		if err := json.NewEncoder(out).Encode(map[string]any{
			"scores": scores, "p50_ms": float64(p50.Microseconds()) / 1000, "p95_ms": float64(p95.Microseconds()) / 1000,
		}); err != nil {
			return err
		}
	} else {
		for _, way := range ways {
			fmt.Fprintf(out, "%s\n", way)
			if err := eval.Print(out, scores[way]); err != nil {
				return err
			}
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "a search took %.1f ms (p50), %.1f ms (p95), asked over HTTP\n", float64(p50.Microseconds())/1000, float64(p95.Microseconds())/1000)
	}
	if misses {
		fmt.Fprintf(out, "\nnot among the first three:\n%s", eval.Misses(e.results["hybrid"], 3))
	}
	for _, s := range scores["hybrid"] {
		if s.Kind == eval.All && s.Hit3 < least {
			return fmt.Errorf("hit@3 is %.3f, less than %.3f", s.Hit3, least)
		}
	}
	return nil
}

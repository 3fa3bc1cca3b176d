package api

import (
	"context"
	"net/http"
	"strconv"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/retrieval"
)

// maxTextForm bounds a text that is to be processed, as JSON.
const maxTextForm = 64 << 20

// retrievalRoutes find passages, make texts and pages findable, and hold the
// settings of both.
func (a *API) retrievalRoutes() []route.Route {
	const base = "/api/v1/retrieval"
	rows := []route.Route{
		{
			Method: "POST", Path: base + "/query/doc", Op: "query_doc",
			Summary: "Find passages in one collection or file", Body: queryForm{}, Answer: queryAnswer{}, Errors: []int{400, 403}, Handler: a.queryDoc,
			Doc: "A file is named `file-` and its id. Distances are scores from 0 to 1, the best first. An administrator gets null for a name that nobody has; for others it is 403, like one that they may not read.",
		},
		{
			Method: "POST", Path: base + "/query/collection", Op: "query_collection",
			Summary: "Find passages in several collections", Body: queryForm{}, Answer: queryAnswer{}, Errors: []int{400, 403}, Handler: a.queryCollection,
			Doc: "Equal passages are given once. `warnings` says what was left out of the search, and that nothing seems relevant.",
		},
		{
			Method: "POST", Path: base + "/explain", Op: "explain_retrieval",
			Summary: "Say why each passage was given or not", Body: queryForm{}, Answer: explainAnswer{}, Errors: []int{400, 403}, Handler: route.JSON(a.explain),
			Doc: "Ranks count from 1, 0 is not found there. `context` is what a chat would get.",
		},
		{
			Method: "POST", Path: base + "/process/file", Op: "process_file", MaxBody: maxTextForm,
			Summary: "Make a file findable, with another text or in a collection", Body: processFileForm{}, Answer: processedAnswer{},
			Errors: []int{400, 403, 404}, Handler: route.JSON(a.processFile),
		},
		{
			Method: "POST", Path: base + "/process/text", Op: "process_text", MaxBody: maxTextForm,
			Summary: "Make a text findable", Body: processTextForm{}, Answer: processedAnswer{}, Errors: []int{400, 403}, Handler: route.JSON(a.processText),
			Doc: "Without a name the collection is called by the text's SHA-256. A name that is new makes a collection of the caller's own.",
		},
		{
			Method: "POST", Path: base + "/process/files/batch", Op: "process_files", MaxBody: maxTextForm,
			Summary: "Put several files into a collection", Body: processBatchForm{}, Answer: batchAnswer{}, Errors: []int{403}, Handler: route.JSON(a.processBatch),
		},
		{
			Method: "POST", Path: base + "/process/web/search", Op: "process_web_search",
			Summary: "Search the web: this server does not", Body: searchForm{}, Answer: map[string]any{}, Errors: []int{403},
			Handler: route.JSON(func(context.Context, *route.Call, searchForm) (map[string]any, error) {
				return nil, errdefs.New(errdefs.Forbidden, "Searching the web is switched off here.")
			}),
		},
	}
	for _, p := range []struct{ path, op, summary string }{
		{"/process/web", "process_web", "Make a web page findable"},
		{"/process/youtube", "process_youtube", "The same as /process/web"},
		{"/process/url", "process_url", "Make what is at an address findable"},
	} {
		rows = append(rows, route.Route{
			Method: "POST", Path: base + p.path, Op: p.op, Summary: p.summary, Body: processURLForm{}, Answer: processedAnswer{}, Errors: []int{400, 403},
			Doc: "Only public servers are asked: at most 16 MiB, 20 seconds and three redirects, each checked anew.",
			Params: []route.Param{
				{Name: "process", In: "query", Doc: "false only reads the page; it is kept by default.", Type: true},
				{Name: "overwrite", In: "query", Doc: "false keeps what the address gave before.", Type: true},
			},
			Handler: a.processURL(p.path == "/process/url"),
		})
	}
	for i := range rows {
		rows[i].Tag, rows[i].Who = "retrieval", route.Verified
	}
	return append(rows, a.retrievalAdminRoutes(base)...)
}

type queryForm struct {
	Collection  string   `json:"collection_name"`
	Collections []string `json:"collection_names"`
	Query       string   `json:"query"`
	Queries     []string `json:"queries"`
	K           int      `json:"k"`
	RerankK     int      `json:"k_reranker"`
	Threshold   *float64 `json:"r"`
	Hybrid      *bool    `json:"hybrid"`
	Weight      *float64 `json:"hybrid_bm25_weight"`
}

func (f *queryForm) question() retrieval.Question {
	q := retrieval.Question{Text: f.Query, More: f.Queries, K: f.K, RerankK: f.RerankK, Threshold: f.Threshold, Hybrid: f.Hybrid, Weight: f.Weight}
	if q.Text == "" && len(q.More) > 0 {
		q.Text, q.More = q.More[0], q.More[1:]
	}
	return q
}

// queryAnswer has one inner list: the passages of the question.
type queryAnswer struct {
	IDs       [][]string          `json:"ids"`
	Documents [][]string          `json:"documents"`
	Metadatas [][]retrieval.Facts `json:"metadatas"`
	Distances [][]float64         `json:"distances"`
	Warnings  []string            `json:"warnings,omitempty"`
}

func passageID(p *retrieval.Passage) string {
	return strconv.FormatInt(p.Set, 10) + "-" + strconv.Itoa(p.N)
}

func (a *API) answer(found *retrieval.Found) *queryAnswer {
	n := len(found.Passages)
	out := &queryAnswer{
		IDs: [][]string{make([]string, n)}, Documents: [][]string{make([]string, n)},
		Metadatas: [][]retrieval.Facts{make([]retrieval.Facts, n)}, Distances: [][]float64{make([]float64, n)}, Warnings: found.Warnings,
	}
	for i := range found.Passages {
		p := &found.Passages[i]
		out.IDs[0][i], out.Documents[0][i], out.Distances[0][i] = passageID(p), p.Text, p.Score
		out.Metadatas[0][i] = a.Retrieval.FactsOf(p)
	}
	return out
}

func (a *API) queryDoc(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	return a.query(w, r, c, func(f *queryForm) error {
		if f.Collection == "" {
			return route.Fault("missing", []any{"body", "collection_name"}, "Field required", nil)
		}
		f.Collections = []string{f.Collection}
		return nil
	})
}

func (a *API) queryCollection(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	return a.query(w, r, c, func(f *queryForm) error {
		if f.Collections == nil {
			return route.Fault("missing", []any{"body", "collection_names"}, "Field required", nil)
		}
		f.Collection = ""
		return nil
	})
}

func (a *API) query(w http.ResponseWriter, r *http.Request, c *route.Call, check func(*queryForm) error) error {
	var in queryForm
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	if err := check(&in); err != nil {
		return err
	}
	q := in.question()
	if q.Text == "" {
		return route.Fault("missing", []any{"body", "query"}, "Field required", nil)
	}
	found, err := a.Retrieval.Find(r.Context(), c.Who, in.Collections, q)
	if err != nil {
		return err
	}
	if !found.Known && in.Collection != "" {
		return route.WriteBody(w, http.StatusOK, []byte("null"))
	}
	return route.WriteJSON(w, http.StatusOK, a.answer(found))
}

type explainAnswer struct {
	*retrieval.Explanation
	Chunks  []explainedChunk `json:"chunks"`
	Context []contextPassage `json:"context"`
}

type explainedChunk struct {
	ID       string          `json:"id"`
	Document string          `json:"document"`
	Metadata retrieval.Facts `json:"metadata"`
	retrieval.ExplainedChunk
}

type contextPassage struct {
	ID       string          `json:"id"`
	Document string          `json:"document"`
	Metadata retrieval.Facts `json:"metadata"`
	Score    float64         `json:"score"`
}

func (a *API) explain(ctx context.Context, c *route.Call, in queryForm) (*explainAnswer, error) {
	names := in.Collections
	if in.Collection != "" {
		names = append([]string{in.Collection}, names...)
	}
	q := in.question()
	if q.Text == "" || len(names) == 0 {
		return nil, route.Fault("missing", []any{"body", "query"}, "A query and collection_names are required", nil)
	}
	why, err := a.Retrieval.Explain(ctx, c.Who, names, q)
	if err != nil {
		return nil, err
	}
	out := &explainAnswer{Explanation: why, Chunks: []explainedChunk{}, Context: []contextPassage{}}
	if why.Warnings == nil {
		why.Warnings = []string{}
	}
	for i := range why.Chunks {
		p := &why.Chunks[i].Passage
		out.Chunks = append(out.Chunks, explainedChunk{passageID(p), p.Text, a.Retrieval.FactsOf(p), why.Chunks[i]})
	}
	for i := range why.Context {
		p := &why.Context[i]
		out.Context = append(out.Context, contextPassage{passageID(p), p.Text, a.Retrieval.FactsOf(p), p.Score})
	}
	return out, nil
}

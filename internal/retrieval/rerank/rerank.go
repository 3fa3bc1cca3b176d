// Package rerank asks a server how well texts answer a question. It speaks the
// API that Cohere, Jina and Text Embeddings Inference have in common, and
// takes the answers of all three.
//
// Request: {"model","query","documents":[…],"texts":[…],"top_n"}. Answers:
// {"results":[{"index","relevance_score"}]} or [{"index","score"}].
package rerank

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
)

// maxAnswer bounds what a server may answer, in bytes.
const maxAnswer = 4 << 20

// Server is a reranker elsewhere.
type Server struct {
	Up      *hop.Upstream
	Path    string // from the root, such as "/v1/rerank"
	Model   string
	Key     string // sent as a bearer, if any
	Timeout time.Duration
}

type request struct {
	Model     string   `json:"model,omitempty"`
	Query     string   `json:"query"`
	Documents []string `json:"documents"` // Cohere, Jina
	Texts     []string `json:"texts"`     // TEI
	TopN      int      `json:"top_n"`
	Return    bool     `json:"return_documents"`
}

type result struct {
	Index     int      `json:"index"`
	Relevance *float64 `json:"relevance_score"`
	Score     *float64 `json:"score"`
}

// Scores gives how well each text answers the question, from 0 to 1, in the
// order of the texts. Scores outside of that are logits, and are brought into
// it.
func (s *Server) Scores(ctx context.Context, question string, texts []string) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	body, err := json.Marshal(request{Model: s.Model, Query: question, Documents: texts, Texts: texts, TopN: len(texts)})
	if err != nil {
		return nil, err
	}
	req := &hop.Request{Method: "POST", Path: s.Path, Rooted: true, ContentType: "application/json", Accept: "application/json", Body: body}
	if s.Key != "" {
		req.Header = [][2]string{{"Authorization", "Bearer " + s.Key}}
	}
	resp, err := s.Up.Do(ctx, req)
	if err != nil {
		return nil, errdefs.New(errdefs.Upstream, "The reranker cannot be reached.").WithCause(err)
	}
	defer resp.Close()
	if resp.Status != 200 {
		return nil, errdefs.Newf(errdefs.Upstream, "The reranker answered with status %d.", resp.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(resp, maxAnswer))
	if err != nil {
		return nil, errdefs.New(errdefs.Upstream, "The reranker's answer broke off.").WithCause(err)
	}
	return scores(raw, len(texts))
}

func scores(raw []byte, n int) ([]float64, error) {
	var wrapped struct {
		Results []result `json:"results"`
	}
	var err error
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '[' {
		err = json.Unmarshal(raw, &wrapped.Results)
	} else {
		err = json.Unmarshal(raw, &wrapped)
	}
	if err != nil || len(wrapped.Results) != n {
		return nil, errdefs.New(errdefs.Upstream, "The reranker's answer cannot be understood.").WithCause(fmt.Errorf("%d results for %d texts: %w", len(wrapped.Results), n, err))
	}
	out, logits := make([]float64, n), false
	seen := make([]bool, n)
	for _, r := range wrapped.Results {
		v := r.Relevance
		if v == nil {
			v = r.Score
		}
		if r.Index < 0 || r.Index >= n || seen[r.Index] || v == nil || math.IsNaN(*v) {
			return nil, errdefs.New(errdefs.Upstream, "The reranker's answer names texts that it was not given, or not all.")
		}
		out[r.Index], seen[r.Index] = *v, true
		logits = logits || *v < 0 || *v > 1
	}
	if logits {
		for i, v := range out {
			out[i] = 1 / (1 + math.Exp(-v))
		}
	}
	return out, nil
}

package rerank

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"portico/internal/egress"
	"portico/internal/hop"
)

func TestScores(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer string
		want   []float64
	}{
		"cohere":        {`{"results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}]}`, []float64{0.1, 0.9}},
		"tei":           {`[{"index":0,"score":0.25},{"index":1,"score":1}]`, []float64{0.25, 1}},
		"logits":        {`[{"index":0,"score":0},{"index":1,"score":-1000}]`, []float64{0.5, 0}},
		"one missing":   {`[{"index":0,"score":1}]`, nil},
		"twice":         {`[{"index":0,"score":1},{"index":0,"score":1}]`, nil},
		"not its own":   {`[{"index":0,"score":1},{"index":2,"score":1}]`, nil},
		"no score":      {`[{"index":0},{"index":1}]`, nil},
		"not JSON":      {`<html>`, nil},
		"nothing":       {``, nil},
		"another thing": {`{"error":"no"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := scores([]byte(tc.answer), 2)
			if !slices.Equal(got, tc.want) || (err == nil) != (tc.want != nil) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in request
		raw, _ := io.ReadAll(r.Body)
		if json.Unmarshal(raw, &in) != nil || r.URL.Path != "/v1/rerank" || r.Header.Get("Authorization") != "Bearer k" || in.Model != "m" || in.Query != "q" {
			t.Errorf("%s %s", r.URL.Path, raw)
		}
		if len(in.Texts) != 2 {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_, _ = io.WriteString(w, `[{"index":0,"score":0.25},{"index":1,"score":1}]`)
	}))
	defer srv.Close()
	up, err := hop.New(srv.URL, hop.Options{Dialer: egress.NewAdmin(egress.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	s := &Server{Up: up, Path: "/v1/rerank", Model: "m", Key: "k", Timeout: 10 * time.Second}
	if got, err := s.Scores(context.Background(), "q", []string{"a", "b"}); err != nil || !slices.Equal(got, []float64{0.25, 1}) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := s.Scores(context.Background(), "q", []string{"a"}); err == nil {
		t.Error("a teapot's answer was taken")
	}
}

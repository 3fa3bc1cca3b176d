// Package eval holds retrieval to golden questions over a small corpus of our
// own: an office that measures tides. It runs the real binary, as a user does:
// sync the folder, ask the questions.
package eval

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"portico/tests/stage"
)

// score is a line of the report of portico eval.
type score struct {
	Kind            string
	Questions       int
	Hit3            float64 `json:"hit@3"`
	MRR             float64 `json:"mrr"`
	NothingRelevant float64 `json:"nothing_relevant"`
}

// TestRetrieval gates the quality of retrieval. The bounds are what was
// measured, less two questions.
func TestRetrieval(t *testing.T) {
	t.Parallel()
	binary, err := stage.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(stage.Tool(t, "models"), filepath.Join(dir, "models")); err != nil {
		t.Fatal(err)
	}
	server, err := stage.Start(binary, dir, "OLLAMA_BASE_URLS=")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	_, key, err := server.Admin()
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(binary, args...)
		cmd.Env = append(stage.Quiet(), "PORTICO_URL="+server.URL, "PORTICO_KEY="+key)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("portico %v: %v\n%s%s\n%s", args, err, out.Bytes(), errs.Bytes(), server.Log())
		}
		return out.Bytes()
	}
	run("knowledge", "create", "office")
	run("knowledge", "sync", "corpus", "--knowledge", "office")
	var report struct{ Scores map[string][]score }
	if err := json.Unmarshal(run("eval", "questions.jsonl", "--knowledge", "office", "--json"), &report); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", run("eval", "questions.jsonl", "--knowledge", "office", "--misses"))
	by := map[string]map[string]score{}
	for way, scores := range report.Scores {
		by[way] = map[string]score{}
		for _, s := range scores {
			by[way][s.Kind] = s
		}
	}
	for kind, hybrid := range by["hybrid"] {
		least := math.Max(by["lexical"][kind].Hit3, by["vector"][kind].Hit3) - 1.01/float64(hybrid.Questions)
		if hybrid.Hit3 < least {
			t.Errorf("%s: hybrid finds %.3f, words %.3f, vectors %.3f", kind, hybrid.Hit3, by["lexical"][kind].Hit3, by["vector"][kind].Hit3)
		}
	}
	for kind, least := range map[string]float64{"all answerable": 0.75} {
		if s := by["hybrid"][kind]; s.Hit3 < least {
			t.Errorf("%s: hit@3 is %.3f, less than %.3f", kind, s.Hit3, least)
		}
	}
}

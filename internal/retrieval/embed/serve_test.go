package embed

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// TestServe answers lines of texts with lines of vectors when it is told which
// model to run; scripts/bench-embed.py does. Otherwise there is nothing to test.
func TestServe(t *testing.T) {
	dir := os.Getenv("EMBED_SERVE")
	if dir == "" {
		return
	}
	l, err := OpenLocal(dir, LocalOptions{Int8: os.Getenv("EMBED_INT8") != ""})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var texts []string
		if err := json.Unmarshal(line, &texts); err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Seconds float64     `json:"seconds"`
			Vectors [][]float32 `json:"vectors"`
		}
		start := time.Now()
		var v []float32
		if len(texts) == 1 {
			v, err = l.Question(t.Context(), texts[0])
		} else {
			v, err = l.Passages(t.Context(), texts, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		answer.Seconds = time.Since(start).Seconds()
		for dims := l.Space().Dims; len(v) > 0; v = v[dims:] {
			answer.Vectors = append(answer.Vectors, v[:dims])
		}
		if err := out.Encode(answer); err != nil {
			t.Fatal(err)
		}
	}
}

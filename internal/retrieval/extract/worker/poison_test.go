package worker

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"portico/internal/retrieval/extract"
	"portico/internal/retrieval/extract/pdftest"
)

var damaged = flag.Int("damaged", 60, "how many damaged PDFs TestPoison reads")

// TestPoison reads PDFs that are meant to harm, and many damaged ones:
// each gives text or a reason, and the next is read by a sound child.
func TestPoison(t *testing.T) {
	t.Parallel()
	cache, err := filepath.Abs(filepath.Join("..", "..", "..", "..", ".cache", "testenv", "pdfium"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	p := newPool(t, Config{Children: 2, Limits: extract.Limits{Wall: time.Minute, Memory: 512 << 20}, Options: extract.Options{CacheDir: cache}})
	corpus := pdftest.Poison()
	if raceEnabled { // loading pdfium takes a child a dozen seconds then
		corpus = map[string][]byte{"million pages": pdftest.MillionPages()}
		*damaged = 9
	}
	for i, b := range pdftest.Broken(*damaged) {
		corpus[fmt.Sprint("broken ", i)] = b
	}
	ended := map[string]int{}
	for name, content := range corpus {
		start := time.Now()
		d, err := p.Extract(t.Context(), extract.Input{Name: "a.pdf", Content: bytes.NewReader(content), Size: int64(len(content))})
		var e *extract.Error
		how := "text"
		switch {
		case errors.As(err, &e):
			how = e.Code
		case errors.Is(err, extract.ErrCrashed):
			how = "crashed"
		case err != nil:
			t.Errorf("%s: no reason: %v", name, err)
		case d.Text == "":
			t.Errorf("%s: no text", name)
		}
		ended[how]++
		if took := time.Since(start); testing.Verbose() && took > time.Second {
			t.Logf("%s: %s after %v", name, how, took)
		}
	}
	t.Logf("%d files: %v", len(corpus), ended)
	good := pdftest.Prose(2).Bytes()
	if _, err := p.Extract(t.Context(), extract.Input{Name: "a.pdf", Content: bytes.NewReader(good), Size: int64(len(good))}); err != nil {
		t.Errorf("the next file: %v", err)
	}
}

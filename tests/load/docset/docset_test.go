package docset

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"portico/internal/retrieval/extract"
)

// TestMake makes the set twice, alike, and reads one file of each format back:
// each holds what is asked about it.
func TestMake(t *testing.T) {
	t.Parallel()
	corpus := t.TempDir()
	if err := os.WriteFile(corpus+"/own.md", []byte("# Own\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	docs, questions, err := Make(corpus, 9)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := Make(corpus, 9)
	if err != nil {
		t.Fatal(err)
	}
	p := extract.New(extract.Limits{}, extract.Options{})
	t.Cleanup(func() { p.Close() })
	for i, d := range docs {
		if !bytes.Equal(d.Body, again[i].Body) {
			t.Errorf("%s is another one each time", d.Name)
		}
		if strings.HasSuffix(d.Name, ".pdf") {
			continue // the reader of those is tested elsewhere, and slow to load
		}
		read, err := p.Extract(t.Context(), extract.Input{Name: d.Name, Content: bytes.NewReader(d.Body), Size: int64(len(d.Body))})
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		text := strings.Join(strings.Fields(read.Text), " ")
		for _, q := range questions {
			if q.File == d.Name && !strings.Contains(text, q.Answer) {
				t.Errorf("%s does not hold %q", d.Name, q.Answer)
			}
		}
	}
	if len(questions) < 8 {
		t.Errorf("%d questions", len(questions))
	}
}

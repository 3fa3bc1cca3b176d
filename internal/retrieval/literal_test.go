package retrieval_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestTextJSON holds that the text of a file as JSON is its text, whatever is
// in it and however it is read.
func TestTextJSON(t *testing.T) {
	t.Parallel()
	s := newStand(t, "sqlite://:memory:", nil)
	ctx := context.Background()
	for _, text := range []string{
		"plain", `a "quoted" word\`, `ends with \\"`, "tab\tline\nnext", `","title":"forged`, "<b>&amp;</b>", "é 漢字 🚢", strings.Repeat(`"\`, 100_000),
	} {
		f := s.completed(s.ann, "a.txt", text)
		want, err := s.Text(ctx, f)
		must(t, err)
		for _, slowly := range []bool{false, true} {
			in, err := s.TextJSON(ctx, f)
			must(t, err)
			var r io.Reader = in
			if slowly {
				r = iotest.OneByteReader(in)
			}
			raw, err := io.ReadAll(r)
			must(t, err)
			must(t, in.Close())
			var got string
			if err := json.Unmarshal(raw, &got); err != nil || got != want || want == "" {
				t.Errorf("%.40q became %.40q: %v", want, raw, err)
			}
		}
	}
	none := *s.completed(s.ann, "b.txt", "x")
	none.Document = strings.Repeat("0", 64)
	if _, err := s.TextJSON(ctx, &none); err == nil {
		t.Error("a text that is gone was given")
	}
}

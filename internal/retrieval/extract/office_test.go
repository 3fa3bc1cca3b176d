package extract

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/internal/retrieval/document"
)

var updateOffice = flag.Bool("update-office", false, "write the golden documents of office formats anew")

// zipped is a member of an archive made in a test.
type zipped struct{ name, text string }

// zipOf packs members into a zip file.
func zipOf(tb testing.TB, members ...zipped) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		method := zip.Deflate
		if m.name == "mimetype" {
			method = zip.Store
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: method})
		if err == nil {
			_, err = f.Write([]byte(m.text))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// extractBytes reads a file made in a test, under the default limits.
func extractBytes(tb testing.TB, name string, content []byte) (*document.Document, error) {
	tb.Helper()
	return extractUnder(tb, Limits{}, name, content)
}

func extractUnder(tb testing.TB, lim Limits, name string, content []byte) (*document.Document, error) {
	tb.Helper()
	p := New(lim, Options{})
	tb.Cleanup(func() { p.Close() })
	return p.Extract(tb.Context(), Input{Name: name, Content: bytes.NewReader(content), Size: int64(len(content))})
}

// golden compares what is read in a file with testdata/office/<name>.json, and
// looks whether the document keeps its own promises.
func golden(t *testing.T, name string, content []byte) *document.Document {
	t.Helper()
	d, err := extractBytes(t, name, content)
	if err != nil {
		t.Fatal(err)
	}
	coherent(t, d)
	got, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "office", name+".json")
	if *updateOffice {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != strings.TrimSpace(string(want)) {
		t.Errorf("%s reads as\n%s\nwant\n%s", name, got, want)
	}
	return d
}

// coherent checks that positions lie in the text and rise.
func coherent(tb testing.TB, d *document.Document) {
	tb.Helper()
	at := 0
	for _, p := range d.Pages {
		if p.Start < at || p.Start > len(d.Text) {
			tb.Errorf("page %q begins at %d after %d of %d", p.Label, p.Start, at, len(d.Text))
		}
		at = p.Start
	}
	at = 0
	span := func(what string, s document.Span) {
		if s.Start < at || s.End <= s.Start || s.End > len(d.Text) {
			tb.Errorf("%s %d–%d after %d of %d", what, s.Start, s.End, at, len(d.Text))
		}
		at = s.Start
	}
	for _, h := range d.Headings {
		span("heading", h.Span)
	}
	at = 0
	for _, t := range d.Tables {
		span("table", t.Span)
		if !strings.HasPrefix(d.Text[t.Start:t.End], t.Header) {
			tb.Errorf("header %q is not where its table begins", t.Header)
		}
	}
	if strings.ContainsAny(d.Text, "\r\x00\ufeff") || strings.ToValidUTF8(d.Text, "") != d.Text {
		tb.Errorf("text is not clean")
	}
}

// fails expects a file to be refused with a code and a sentence.
func fails(t *testing.T, code string, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want code %s", err, code)
	}
	if e.Code != code {
		t.Errorf("code is %s (%v), want %s", e.Code, e, code)
	}
	if !strings.HasSuffix(e.Detail, ".") || strings.Contains(e.Detail, "/") {
		t.Errorf("%q is no plain sentence", e.Detail)
	}
}

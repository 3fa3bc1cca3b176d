package worker

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"portico/internal/retrieval/extract"
	"portico/internal/retrieval/extract/pdftest"
)

var pdfPath = flag.String("pdf", "", "where BenchmarkPDF leaves the PDF that it reads, for others to read")

// BenchmarkPDF reads 100 pages full of text in a warm child.
func BenchmarkPDF(b *testing.B) {
	path := *pdfPath
	if path == "" {
		path = filepath.Join(b.TempDir(), "a.pdf")
	}
	if err := os.WriteFile(path, pdftest.Prose(100).Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	p := New(Config{Children: 1, Options: extract.Options{CacheDir: b.TempDir()}})
	defer p.Close()
	in := extract.Input{Name: "a.pdf", Content: f, Size: info.Size()}
	if _, err := p.Extract(b.Context(), in); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Extract(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

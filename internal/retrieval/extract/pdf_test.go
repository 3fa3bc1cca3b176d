package extract

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"portico/internal/retrieval/document"
	"portico/internal/retrieval/extract/pdftest"
)

// compiled is where pdfium is kept compiled between runs of tests.
var compiled = filepath.Join("..", "..", "..", ".cache", "testenv", "pdfium")

func pdfParser(t testing.TB, lim Limits) *Parser {
	t.Helper()
	if err := os.MkdirAll(compiled, 0o755); err != nil {
		t.Fatal(err)
	}
	p := New(lim, Options{CacheDir: compiled})
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func readPDFOf(t testing.TB, p *Parser, b []byte) (*document.Document, error) {
	t.Helper()
	return p.Extract(t.Context(), Input{Name: "a.pdf", Content: bytes.NewReader(b), Size: int64(len(b))})
}

func texts(x float64, from float64, lines ...string) (all []pdftest.Text) {
	for i, s := range lines {
		all = append(all, pdftest.Text{X: x, Y: from - 14*float64(i), S: s})
	}
	return all
}

func at(y float64, cells ...string) (all []pdftest.Text) {
	for i, s := range cells {
		all = append(all, pdftest.Text{X: 72 + 120*float64(i), Y: y, S: s})
	}
	return all
}

// TestPDF shares one parser: loading pdfium is most of the work.
func TestPDF(t *testing.T) {
	t.Parallel()
	p := pdfParser(t, Limits{})
	t.Run("layout", func(t *testing.T) { testPDFLayout(t, p) })
	t.Run("report", func(t *testing.T) { testPDFReport(t, p) })
	t.Run("faults", func(t *testing.T) { testPDFFaults(t, p) })
	t.Run("ocr", func(t *testing.T) { testOCR(t, p) })
}

// testPDFLayout reads pages that show one thing each.
func testPDFLayout(t *testing.T, p *Parser) {
	for _, c := range []struct {
		name string
		doc  pdftest.Doc
		want string
	}{
		{"paragraphs", pdftest.Doc{Pages: []pdftest.Page{{Texts: append(texts(72, 700,
			"The first paragraph is long enough to fill some lines of a page, so that",
			"they are joined again where they were broken, as govern-",
			"ment was here."), texts(72, 630, "The second one is short.")...)}}},
			"The first paragraph is long enough to fill some lines of a page, so that they are joined again where they were broken, as government was here.\n\nThe second one is short.\n"},
		{"columns across", pdftest.Doc{Pages: []pdftest.Page{{Texts: func() (all []pdftest.Text) {
			for i := range 8 {
				n := strconv.Itoa(i)
				all = append(all, pdftest.Text{X: 50, Y: 700 - 14*float64(i), S: "left column has its line " + n}, pdftest.Text{X: 320, Y: 700 - 14*float64(i), S: "right column has its line " + n})
			}
			return all
		}()}}},
			"left column has its line 0 left column has its line 1 left column has its line 2 left column has its line 3 left column has its line 4 left column has its line 5 left column has its line 6 left column has its line 7 " +
				"right column has its line 0 right column has its line 1 right column has its line 2 right column has its line 3 right column has its line 4 right column has its line 5 right column has its line 6 right column has its line 7\n"},
		{"table", pdftest.Doc{Pages: []pdftest.Page{{Texts: append(append(append(at(700, "Ship", "Berth", "Cargo"), at(685, "Aurora", "7", "grain")...),
			pdftest.Text{X: 72, Y: 670, S: "Boreas"}, pdftest.Text{X: 312, Y: 670, S: "salt"}), at(655, "Corona", "9", "oil")...)}}},
			"Ship | Berth | Cargo\nAurora | 7 | grain\nBoreas |  | salt\nCorona | 9 | oil\n"},
	} {
		d, err := readPDFOf(t, p, c.doc.Bytes())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		sound(t, d)
		if d.Text != c.want {
			t.Errorf("%s reads as\n%q, want\n%q", c.name, d.Text, c.want)
		}
		if c.name == "table" && (len(d.Tables) != 1 || d.Tables[0].Header != "Ship | Berth | Cargo") {
			t.Errorf("%s: %+v", c.name, d.Tables)
		}
	}
}

// testPDFReport reads a long report: pages, headings by size, by outline, and
// without the running heads.
func testPDFReport(t *testing.T, p *Parser) {
	doc := pdftest.Prose(12)
	for _, outline := range [...]bool{false, true} {
		if outline {
			for i := range doc.Pages {
				doc.Pages[i].Texts[2].Size = 0 // only the outline knows them
				doc.Outline = append(doc.Outline, pdftest.Mark{Title: pdftest.Chapter(i), Page: i})
			}
		}
		var steps []int
		b := doc.Bytes()
		d, err := p.Extract(t.Context(), Input{Name: "r.pdf", Content: bytes.NewReader(b), Size: int64(len(b)), Progress: func(done, _ int) { steps = append(steps, done) }})
		if err != nil {
			t.Fatal(err)
		}
		sound(t, d)
		if d.Title != "A long report" || len(d.Pages) != 12 || d.Pages[11].Label != "12" || len(steps) != 12 {
			t.Errorf("title %q, %d pages, %d steps", d.Title, len(d.Pages), len(steps))
		}
		if len(d.Headings) != 12 || d.Text[d.Headings[4].Start:d.Headings[4].End] != pdftest.Chapter(4) || d.Headings[4].Start < d.Pages[4].Start {
			t.Errorf("outline %v: headings %+v", outline, d.Headings)
		}
		if n := strings.Count(d.Text, "Report of the harbour"); n != 1 || strings.Contains(d.Text, " of 12") {
			t.Errorf("running heads stay: %d", n)
		}
	}
}

// testPDFFaults: a PDF that cannot be read has a reason.
func testPDFFaults(t *testing.T, p *Parser) {
	few := *p
	few.lim.Pages = 11
	p = &few
	locked, err := os.ReadFile("testdata/pdf/encrypted.pdf")
	if err != nil {
		t.Fatal(err)
	}
	picture := pdftest.Doc{Pages: []pdftest.Page{{Raw: "0 0 100 100 re f\n"}}}
	for _, c := range []struct {
		code    string
		content []byte
	}{
		{"encrypted", locked},
		{"broken", []byte("%PDF-1.7\nnothing")},
		{"limit:pages", pdftest.Prose(12).Bytes()},
		{"limit:pages", pdftest.MillionPages()},
		{"unsupported", picture.Bytes()},
		{"no_text", pdftest.Doc{Pages: make([]pdftest.Page, 2)}.Bytes()},
	} {
		_, err := readPDFOf(t, p, c.content)
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%v, want %s", err, c.code)
		}
	}
	d, err := readPDFOf(t, p, pdftest.Doc{Pages: append(picture.Pages, pdftest.Page{Texts: texts(72, 700, "A page of text.")})}.Bytes())
	if err != nil || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], ": 1.") {
		t.Errorf("a scanned page among others: %+v, %v", d, err)
	}
}

// testOCR reads pictures by a program that stands in for tesseract.
func testOCR(t *testing.T, p *Parser) {
	dir := t.TempDir()
	tesseract := filepath.Join(dir, "tesseract")
	script := "#!/bin/sh\nif [ \"$1\" = --list-langs ]; then printf 'List:\\neng\\npor\\n'; else cat >/dev/null; echo \"read in $4\"; fi\n"
	if err := os.WriteFile(tesseract, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	sees := *p
	sees.opt.Tesseract = tesseract
	p = &sees
	png := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x02\x00\x00\x00\x02\x08\x00\x00\x00\x00\x57\xdd\x52\xf8"
	d, err := p.Extract(t.Context(), Input{Name: "a.png", Content: strings.NewReader(png), Size: int64(len(png))})
	if err != nil || d.Text != "read in eng+por\n" {
		t.Errorf("an image: %+v, %v", d, err)
	}
	huge := strings.Replace(png, "\x00\x00\x00\x02\x00\x00\x00\x02\x08\x00\x00\x00\x00\x57\xdd\x52\xf8", "\x00\x00\xff\xff\x00\x00\xff\xff\x08\x00\x00\x00\x00\x9f\x8f\x1c\x43", 1)
	var e *Error
	if _, err := p.Extract(t.Context(), Input{Name: "a.png", Content: strings.NewReader(huge), Size: int64(len(huge))}); !errors.As(err, &e) || e.Code != "limit:pixels" && e.Code != "broken" {
		t.Errorf("a huge image: %v", err)
	}
	d, err = readPDFOf(t, p, pdftest.Doc{Pages: []pdftest.Page{{Raw: "0 0 100 100 re f\n"}, {Texts: texts(72, 700, "A page of text.")}}}.Bytes())
	if err != nil || d.Text != "read in eng+por\n\nA page of text.\n" {
		t.Errorf("a scanned page: %+v, %v", d, err)
	}
}

// FuzzLayout: whatever the places of words, the layout is a sound document.
func FuzzLayout(f *testing.F) {
	f.Add("the left side | and the right\nanother-\nline 1 2 3", []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add("a b c\na b c\na b c", []byte{0, 50, 100})
	f.Fuzz(func(t *testing.T, text string, places []byte) {
		next := func() float32 {
			if len(places) == 0 {
				return 10
			}
			v := float32(places[0])
			places = append(places[1:], places[0])
			return v*3 - 50
		}
		var pages []pdfPage
		for range 4 {
			p := pdfPage{height: 842}
			for line := range strings.Lines(text) {
				l := pdfLine{hyphen: strings.HasSuffix(line, "-\n")}
				for _, w := range strings.Fields(line) {
					x, y := next(), next()
					l.words = append(l.words, pdfWord{text: w, pdfBox: pdfBox{left: x, right: x + next(), bottom: y, top: y + next()/10}})
				}
				if len(l.words) > 0 {
					l.measure()
					p.lines = append(p.lines, l)
				}
			}
			pages = append(pages, p)
		}
		b := newBuilder(&Limits{Text: 1 << 20})
		layPages(b, pages, []pdfMark{{title: "line", page: 1, level: 1}})
		d, err := b.done()
		if err != nil {
			t.Fatal(err)
		}
		sound(t, d)
	})
}

func BenchmarkPDF(b *testing.B) {
	p := pdfParser(b, Limits{})
	content := pdftest.Prose(100).Bytes()
	b.ReportAllocs()
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := readPDFOf(b, p, content); err != nil {
			b.Fatal(err)
		}
	}
}

// Package pdftest writes PDFs for tests, right ones and poisoned ones.
package pdftest

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Page is what is drawn on one page: PDF operators, or Texts.
type Page struct {
	Texts []Text
	Raw   string
}

// Text is one string of Helvetica at a place, in points from the lower left.
type Text struct {
	X, Y, Size float64
	S          string
}

// Mark is an entry of the outline.
type Mark struct {
	Title string
	Page  int // index
}

// Doc is a PDF to be.
type Doc struct {
	Title   string
	Pages   []Page
	Outline []Mark
}

// Bytes writes the file: A4 pages, compressed, WinAnsi letters.
func (d Doc) Bytes() []byte {
	w := Writer{}
	catalog, tree, font, info, outline := w.Next(), w.Next(), w.Next(), w.Next(), w.Next()
	w.Object(font, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
	w.Object(info, "<</Title ("+escape(d.Title)+")>>")
	var kids []string
	pages := make([]int, len(d.Pages))
	for i, p := range d.Pages {
		content := w.Next()
		pages[i] = w.Next()
		w.Stream(content, "/Filter/FlateDecode", Deflate([]byte(p.operators())))
		w.Object(pages[i], fmt.Sprintf("<</Type/Page/Parent %d 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F %d 0 R>>>>/Contents %d 0 R>>", tree, font, content))
		kids = append(kids, fmt.Sprintf("%d 0 R", pages[i]))
	}
	w.Object(tree, fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", len(pages), strings.Join(kids, " ")))
	w.Object(catalog, fmt.Sprintf("<</Type/Catalog/Pages %d 0 R/Outlines %d 0 R>>", tree, outline))
	first := outline
	for i, m := range d.Outline {
		at := w.Next()
		if i == 0 {
			first = at
		}
		next := ""
		if i+1 < len(d.Outline) {
			next = fmt.Sprintf("/Next %d 0 R", at+1)
		}
		w.Object(at, fmt.Sprintf("<</Title (%s)/Parent %d 0 R/Dest[%d 0 R/Fit]%s>>", escape(m.Title), outline, pages[m.Page], next))
	}
	w.Object(outline, fmt.Sprintf("<</Type/Outlines/Count %d/First %d 0 R/Last %d 0 R>>", len(d.Outline), first, first+max(len(d.Outline)-1, 0)))
	return w.Bytes(fmt.Sprintf("/Root %d 0 R/Info %d 0 R", catalog, info))
}

func (p Page) operators() string {
	var b strings.Builder
	b.WriteString(p.Raw)
	for _, t := range p.Texts {
		size := t.Size
		if size == 0 {
			size = 11
		}
		fmt.Fprintf(&b, "BT /F %g Tf %g %g Td (%s) Tj ET\n", size, t.X, t.Y, escape(t.S))
	}
	return b.String()
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`).Replace(s)
}

// Deflate packs b as zlib does.
func Deflate(b []byte) []byte {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

// Bomb is what unpacks to b, n times. It costs next to nothing to make: the
// packed form of a repetition is repeated.
func Bomb(b []byte, n int) []byte {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Flush()
	first := out.Len()
	_, _ = z.Write(b)
	_ = z.Flush()
	again := bytes.Clone(out.Bytes()[first:])
	for range n - 2 {
		out.Write(again)
	}
	return out.Bytes()
}

// Writer writes objects.
type Writer struct {
	b  bytes.Buffer
	n  int
	at map[int]int
}

// Next gives a number for an object.
func (w *Writer) Next() int { w.n++; return w.n }

// Object writes one.
func (w *Writer) Object(n int, body string) {
	if w.at == nil {
		w.at = map[int]int{}
		w.b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	}
	w.at[n] = w.b.Len()
	fmt.Fprintf(&w.b, "%d 0 obj\n%s\nendobj\n", n, body)
}

// Stream writes one with data.
func (w *Writer) Stream(n int, dict string, data []byte) {
	w.Object(n, fmt.Sprintf("<<%s/Length %d>>stream\n%s\nendstream", dict, len(data), data))
}

// Bytes ends the file.
func (w *Writer) Bytes(trailer string) []byte {
	start := w.b.Len()
	fmt.Fprintf(&w.b, "xref\n0 %d\n0000000000 65535 f \n", w.n+1)
	for i := 1; i <= w.n; i++ {
		fmt.Fprintf(&w.b, "%010d 00000 n \n", w.at[i])
	}
	fmt.Fprintf(&w.b, "trailer\n<</Size %d%s>>\nstartxref\n%d\n%%%%EOF\n", w.n+1, trailer, start)
	return w.b.Bytes()
}

var words = strings.Fields("the harbour keeps a list of ships and berths that is read each morning by those who carry cargo from one quay to another while tide wind and weather decide what may leave before noon nobody asks twice where anything stands because every number has its place")

// Chapter is the heading of Prose's page with that index.
func Chapter(i int) string { return fmt.Sprintf("Chapter %d: %s", i+1, words[i%len(words)]) }

// Prose makes a document of pages that are full of text, always the same.
func Prose(pages int) Doc {
	r := rand.New(rand.NewPCG(1, 2))
	d := Doc{Title: "A long report"}
	for i := range pages {
		p := Page{Texts: []Text{
			{X: 72, Y: 810, Size: 9, S: "Report of the harbour"},
			{X: 280, Y: 30, Size: 9, S: fmt.Sprintf("Page %d of %d", i+1, pages)},
			{X: 72, Y: 770, Size: 18, S: Chapter(i)},
		}}
		for y := 740.0; y > 60; y -= 14 {
			var line []string
			for len(strings.Join(line, " ")) < 80 {
				line = append(line, words[r.IntN(len(words))])
			}
			p.Texts = append(p.Texts, Text{X: 72, Y: y, S: strings.Join(line, " ")})
		}
		d.Pages = append(d.Pages, p)
	}
	return d
}

// MillionPages is a PDF of three pages that claims to have a million.
func MillionPages() []byte { return replace(Prose(3).Bytes(), "/Count 3", "/Count 1000000") }

// Poison gives PDFs that are meant to harm, by what they try.
func Poison() map[string][]byte {
	good := Prose(3).Bytes()
	all := map[string][]byte{
		"only a header":       []byte("%PDF-1.7\n"),
		"no cross table":      good[:bytes.LastIndex(good, []byte("xref\n0"))],
		"million pages":       MillionPages(),
		"negative pages":      replace(good, "/Count 3", "/Count -3"),
		"cyclic cross tables": replace(good, "trailer\n<<", "trailer\n<</Prev 10 "),
		"deep arrays":         []byte("%PDF-1.7\n1 0 obj\n" + strings.Repeat("[", 1<<20) + "\nendobj\ntrailer<</Root 1 0 R>>"),
		"deep dictionaries":   []byte("%PDF-1.7\n1 0 obj\n" + strings.Repeat("<</A", 1<<19) + "\nendobj\ntrailer<</Root 1 0 R>>"),
		"zeros":               append([]byte("%PDF-1.7\n"), make([]byte, 4<<20)...),
	}
	all["pages within themselves"] = raw(func(w *Writer) {
		w.Object(2, "<</Type/Pages/Count 1/Kids[2 0 R]>>")
	})
	all["endless tree of pages"] = raw(func(w *Writer) {
		w.Object(2, "<</Type/Pages/Count 1000000/Kids[3 0 R 3 0 R 3 0 R]>>")
		w.Object(3, "<</Type/Pages/Parent 2 0 R/Count 1000000/Kids[4 0 R 4 0 R 2 0 R]>>")
		w.Object(4, "<</Type/Pages/Parent 3 0 R/Count 1000000/Kids[2 0 R 3 0 R]>>")
	})
	page := func(content []byte, dict, resources string) []byte {
		return raw(func(w *Writer) {
			w.Object(2, "<</Type/Pages/Count 1/Kids[3 0 R]>>")
			w.Object(3, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<"+resources+"/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>")
			w.Stream(4, dict, content)
			w.Stream(5, "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>", []byte("/X Do /X Do /X Do"))
		})
	}
	all["unpacking bomb"] = page(Bomb(bytes.Repeat([]byte("(xxxxxxxxxxxxxxxx) Tj "), 16<<10), 1<<10), "/Filter/FlateDecode", "")
	all["bomb in a bomb"] = page(Bomb(Bomb(make([]byte, 1<<16), 1<<10), 1<<10), "/Filter[/FlateDecode/FlateDecode]", "")
	all["form within itself"] = page([]byte("/X Do"), "", "/XObject<</X 5 0 R>>")
	all["unbalanced states"] = page(bytes.Repeat([]byte("q "), 4<<20), "", "")
	all["text without end"] = page(append([]byte("BT /F 1 Tf "), bytes.Repeat([]byte("(a) Tj "), 2<<20)...), "", "")
	all["filters without end"] = page([]byte("x"), "/Filter["+strings.Repeat("/ASCIIHexDecode", 1<<16)+"]", "")
	all["outline in a circle"] = raw(func(w *Writer) {
		w.Object(2, "<</Type/Pages/Count 1/Kids[3 0 R]>>")
		w.Object(3, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>")
		w.Object(6, "<</Type/Outlines/First 7 0 R/Last 7 0 R>>")
		w.Object(7, "<</Title(a)/Parent 6 0 R/Next 7 0 R/First 7 0 R/Dest[3 0 R/Fit]>>")
	})
	all["huge page"] = replace(good, "[0 0 595 842]", "[0 0 1e38 1e38]")
	return all
}

// Broken gives n damaged copies of a good PDF: cut off, or with bytes changed.
func Broken(n int) [][]byte {
	good := Prose(2).Bytes()
	r := rand.New(rand.NewPCG(3, 4))
	all := make([][]byte, n)
	for i := range all {
		b := bytes.Clone(good)
		if i%3 == 0 {
			b = b[:r.IntN(len(b))]
		} else {
			for range 1 + r.IntN(20) {
				b[16+r.IntN(len(b)-16)] = byte(r.Uint32())
			}
		}
		all[i] = b
	}
	return all
}

func raw(fill func(w *Writer)) []byte {
	w := Writer{n: 7}
	w.Object(1, "<</Type/Catalog/Pages 2 0 R/Outlines 6 0 R>>")
	fill(&w)
	return w.Bytes("/Root 1 0 R")
}

func replace(b []byte, old, by string) []byte { return bytes.Replace(b, []byte(old), []byte(by), -1) }

package chunk

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"portico/internal/retrieval/document"
)

func words(text string) int { return len(strings.Fields(text)) }

// markdown makes a document whose headings are lines that begin with "#".
func markdown(text string) *document.Document {
	doc := &document.Document{Text: text}
	at := 0
	for _, line := range strings.SplitAfter(text, "\n") {
		if level := len(line) - len(strings.TrimLeft(line, "#")); level > 0 {
			doc.Headings = append(doc.Headings, document.Heading{Span: document.Span{Start: at, End: at + len(strings.TrimSuffix(line, "\n"))}, Level: level})
		}
		at += len(line)
	}
	return doc
}

func para(n int, w string) string { return strings.TrimSpace(strings.Repeat(w+" ", n)) + ".\n\n" }

// check holds chunks to what is always true of them.
func check(t *testing.T, doc *document.Document, s Settings, tokens func(string) int, all []Chunk) {
	t.Helper()
	covered := make([]bool, len(doc.Text))
	runes := []rune(doc.Text)
	for i, c := range all {
		if c.Start < 0 || c.End > len(doc.Text) || c.Start >= c.End || doc.Text[c.Start:c.End] != c.Text {
			t.Fatalf("chunk %d is not Text[%d:%d]", i, c.Start, c.End)
		}
		if string(runes[c.First:c.Last]) != c.Text {
			t.Fatalf("chunk %d: characters %d to %d are not its text", i, c.First, c.Last)
		}
		if strings.TrimSpace(c.Text) == "" {
			t.Errorf("chunk %d is empty", i)
		}
		if n := utf8.RuneCountInString(c.Text); s.Splitter == "" && n > s.Size {
			t.Errorf("chunk %d has %d characters", i, n)
		}
		if tokens != nil && s.MaxTokens > 0 && tokens(c.Text) > s.MaxTokens && utf8.RuneCountInString(c.Text) > 1 {
			t.Errorf("chunk %d has %d tokens", i, tokens(c.Text))
		}
		if i > 0 && (c.Start <= all[i-1].Start || c.End <= all[i-1].End) {
			t.Errorf("chunk %d does not go on: %d–%d after %d–%d", i, c.Start, c.End, all[i-1].Start, all[i-1].End)
		}
		for j := c.Start; j < c.End; j++ {
			covered[j] = true
		}
	}
	for i, r := range doc.Text {
		if !covered[i] && !unicode.IsSpace(r) {
			t.Fatalf("character %q at %d is in no chunk", r, i)
		}
	}
}

func split2(t *testing.T, doc *document.Document, s Settings, tokens func(string) int) []Chunk {
	t.Helper()
	all := Split(doc, s, tokens)
	check(t, doc, s, tokens, all)
	if again := Split(doc, s, tokens); !reflect.DeepEqual(all, again) {
		t.Error("another time, other chunks")
	}
	return all
}

var standard = Settings{Size: 1000, Overlap: 100, Headings: true}

func TestShortTextIsOneChunk(t *testing.T) {
	t.Parallel()
	all := split2(t, &document.Document{Text: "\n  Olá, mundo.\n\n"}, standard, nil)
	if len(all) != 1 || all[0].Text != "  Olá, mundo." || all[0].First != 1 || all[0].Last != 14 {
		t.Errorf("%+v", all)
	}
	if all := Split(&document.Document{Text: " \n\t"}, standard, nil); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	if all := Split(&document.Document{}, standard, nil); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

func TestParagraphsStayWhole(t *testing.T) {
	t.Parallel()
	text := para(60, "alpha") + para(60, "beta") + para(60, "gamma") + para(60, "delta")
	for _, c := range split2(t, &document.Document{Text: text}, standard, nil) {
		if !strings.HasSuffix(c.Text, ".") {
			t.Errorf("cut inside a paragraph: …%q", c.Text[len(c.Text)-20:])
		}
	}
}

func TestOverlapBeginsWithASentence(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 80 {
		fmt.Fprintf(&b, "Sentence %d says that the answer is %d. ", i, i*i)
	}
	all := split2(t, &document.Document{Text: b.String()}, Settings{Size: 500, Overlap: 100}, nil)
	if len(all) < 6 {
		t.Fatalf("%d chunks", len(all))
	}
	for i, c := range all[1:] {
		if c.Start >= all[i].End || !strings.HasPrefix(c.Text, "Sentence") {
			t.Errorf("chunk %d begins %q at %d, the one before ends at %d", i+1, c.Text[:20], c.Start, all[i].End)
		}
		if n := all[i].End - c.Start; n > 101 {
			t.Errorf("%d characters twice", n)
		}
	}
}

func TestHeadingsAreContext(t *testing.T) {
	t.Parallel()
	text := "# Manual\n\n" + para(100, "intro") + "## Install\n\n" + para(100, "install") + "### Linux\n\n" + para(180, "penguin") + "## Use\n\n" + para(100, "use")
	doc := markdown(text)
	doc.Title = "manual"
	all := split2(t, doc, standard, nil)
	for _, want := range []struct{ text, context string }{
		{"# Manual", "manual"},
		{"## Install", "manual"},
		{"### Linux", "manual › Install"},
		{"penguin", "manual › Install › Linux"},
		{"## Use", "manual"},
	} {
		found := false
		for _, c := range all {
			if strings.HasPrefix(c.Text, want.text) && c.Context == want.context {
				found = true
			}
		}
		if !found {
			t.Errorf("no chunk begins with %q in context %q", want.text, want.context)
			for _, c := range all {
				t.Logf("%q: %.20q", c.Context, c.Text)
			}
		}
	}
	if all := Split(doc, Settings{Size: 1000}, nil); all[1].Context != "manual" {
		t.Errorf("headings are off, and the context is %q", all[1].Context)
	}
}

func TestSmallSectionsAreMerged(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "## Option %d\n\n%s", i, para(15, "word"))
	}
	all := split2(t, markdown(b.String()), standard, nil)
	total := 0
	for _, c := range all {
		total += len(c.Text)
	}
	if mean := total / len(all); mean < 400 {
		t.Errorf("%d chunks of %d characters", len(all), mean)
	}
	// A heading is never the end of a chunk: it belongs to what follows it.
	for _, c := range all {
		lines := strings.Split(c.Text, "\n")
		if strings.HasPrefix(lines[len(lines)-1], "#") {
			t.Errorf("a chunk ends with a heading: %q", lines[len(lines)-1])
		}
	}
}

func TestRowsKeepTheirHeader(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("Prices of this year.\n\n")
	start := b.Len()
	b.WriteString("item | price\n")
	for i := range 200 {
		fmt.Fprintf(&b, "item %d | %d.50\n", i, i)
	}
	doc := &document.Document{Text: b.String(), Tables: []document.Table{{Span: document.Span{Start: start, End: b.Len()}, Header: "item | price"}}}
	all := split2(t, doc, standard, nil)
	for i, c := range all {
		if i > 0 && (c.Context != "item | price" || !strings.HasPrefix(c.Text, "item ") || !strings.HasSuffix(c.Text, ".50")) {
			t.Errorf("chunk %d, context %q: %q", i, c.Context, c.Text)
		}
		if i > 0 && c.Start < all[i-1].End {
			t.Errorf("chunk %d repeats rows", i)
		}
	}
}

func TestCodeStaysWhole(t *testing.T) {
	t.Parallel()
	before, code := para(120, "text"), "func main() {\n\n"+strings.Repeat("\tprintln(1)\n\n", 40)+"}\n"
	doc := &document.Document{Text: before + code + para(120, "after"), Solid: []document.Span{{Start: len(before), End: len(before) + len(code)}}}
	found := false
	for _, c := range split2(t, doc, standard, nil) {
		found = found || strings.Contains(c.Text, strings.TrimSpace(code))
	}
	if !found {
		t.Error("the code was cut")
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	var doc document.Document
	for i := range 5 {
		doc.Pages = append(doc.Pages, document.Page{Start: len(doc.Text), Label: fmt.Sprint(i + 1)})
		if i != 2 { // page 3 is empty
			doc.Text += para(70, "page"+fmt.Sprint(i+1))
		}
	}
	for _, c := range split2(t, &doc, standard, nil) {
		first, last := strings.Fields(c.Text)[0], strings.Fields(c.Text)[len(strings.Fields(c.Text))-1]
		if "page"+c.Page != first || "page"+c.LastPage+"." != last {
			t.Errorf("pages %s to %s for %q … %q", c.Page, c.LastPage, first, last)
		}
	}
}

// The embedder's bound counts the context too.
func TestTokens(t *testing.T) {
	t.Parallel()
	doc := markdown("# A rather long heading of some words\n\n" + strings.Repeat("one two three four five six seven eight nine ten. ", 100))
	for _, c := range split2(t, doc, Settings{Size: 5000, Headings: true, MaxTokens: 64}, words) {
		if n := words(c.Text) + words(c.Context); n > 64 {
			t.Errorf("%d tokens", n)
		}
	}
	for _, c := range split2(t, doc, Settings{Splitter: "token", Size: 50, Overlap: 5}, words) {
		if n := words(c.Text); n > 50 {
			t.Errorf("%d tokens", n)
		}
	}
}

func TestNoPlaceToCut(t *testing.T) {
	t.Parallel()
	for _, text := range []string{strings.Repeat("x", 5000), strings.Repeat("汉", 5000), strings.Repeat("é", 4999) + "!", strings.Repeat("a ", 4000)} {
		all := split2(t, &document.Document{Text: text}, Settings{Size: 700, Overlap: 50, MaxTokens: 200}, func(s string) int { return utf8.RuneCountInString(s) })
		if len(all) < 20 || len(all) > 60 {
			t.Errorf("%d chunks of %.10q", len(all), text)
		}
	}
}

// TestAnyText holds random texts under random settings to what is always true.
func TestAnyText(t *testing.T) {
	t.Parallel()
	letters := []rune("ab #|\n.\n é汉  .A\r\u2028\u00a0\u0085\ufeff\u3000")
	for i := range 5000 {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		text := make([]rune, r.IntN(300))
		for j := range text {
			text[j] = letters[r.IntN(len(letters))]
		}
		doc := markdown(string(text))
		if n := len(doc.Text); n > 3 {
			start := r.IntN(n)
			for !utf8.RuneStart(doc.Text[start]) {
				start--
			}
			doc.Tables = []document.Table{{Span: document.Span{Start: start, End: n}, Header: "h"}}
		}
		s := Settings{Size: 1 + r.IntN(60), Overlap: r.IntN(40), Headings: true, MaxTokens: r.IntN(30)}
		check(t, doc, s, nil, Split(doc, s, nil))
		if t.Failed() {
			t.Fatalf("%q %+v", doc.Text, s)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("# A\n\ntext. More\n\n| a | b |\n| 1 | 2 |\n## B\ncode", 40, 10, 3, 20)
	f.Add(strings.Repeat("word ", 300), 100, 20, 0, 0)
	f.Fuzz(func(t *testing.T, text string, size, overlap, table, most int) {
		if !utf8.ValidString(text) || len(text) > 2000 {
			return
		}
		size = min(max(size, 1), 2000)
		doc := markdown(text)
		if n := len(text); n > 3 && table > 0 {
			start, end := table%n, n
			for !utf8.RuneStart(text[start]) {
				start--
			}
			doc.Tables = []document.Table{{Span: document.Span{Start: start, End: end}, Header: "h"}}
		}
		s := Settings{Size: size, Overlap: overlap, Headings: true, MaxTokens: min(max(most, 0), 500)}
		check(t, doc, s, nil, Split(doc, s, nil))
	})
}

func BenchmarkSplit(b *testing.B) {
	var text strings.Builder
	for i := range 2000 {
		if i%20 == 0 {
			fmt.Fprintf(&text, "## Section %d\n\n", i/20)
		}
		text.WriteString(para(60, "lorem ipsum"))
	}
	doc := markdown(text.String())
	b.SetBytes(int64(len(doc.Text)))
	b.ReportAllocs()
	for b.Loop() {
		Split(doc, standard, nil)
	}
}

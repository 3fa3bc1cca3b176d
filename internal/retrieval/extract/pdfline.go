package extract

import (
	"slices"
	"strings"
)

// pdfBox is a place on a page, in points from its lower left corner.
type pdfBox struct{ left, right, top, bottom float32 }

// join makes b the smallest box around both.
func (b *pdfBox) join(o pdfBox) {
	if *b == (pdfBox{}) {
		*b = o
	} else if o != (pdfBox{}) {
		*b = pdfBox{left: min(b.left, o.left), right: max(b.right, o.right), top: max(b.top, o.top), bottom: min(b.bottom, o.bottom)}
	}
}

type pdfWord struct {
	pdfBox
	text string
	last int // its last character's place in the text of the page
}

// pdfLine is words on one line, left to right.
type pdfLine struct {
	pdfBox
	words  []pdfWord
	chars  int
	size   float32 // height of its letters
	hyphen bool    // a word is broken at its end
}

// measure computes what follows from the words.
func (l *pdfLine) measure() {
	l.pdfBox, l.chars = pdfBox{}, len(l.words)-1
	var sizes []float32
	for _, w := range l.words {
		l.join(w.pdfBox)
		l.chars += len(w.text)
		if h := w.top - w.bottom; h > 0 {
			sizes = append(sizes, h)
		}
	}
	if len(sizes) > 0 {
		slices.Sort(sizes)
		l.size = sizes[len(sizes)/2]
	}
}

// text is the words of a line.
func (l *pdfLine) text() string {
	var b strings.Builder
	for i, w := range l.words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return b.String()
}

// gap is the white space before a word that makes it a cell of its own, in
// heights of the line. Spaces between words are a quarter, in justified text
// hardly more than half.
const gap = 1.0

// cells cuts a line where it has wide gaps.
func (l *pdfLine) cells() []pdfLine {
	var cells []pdfLine
	start := 0
	for i := 1; i <= len(l.words); i++ {
		if i < len(l.words) && l.words[i].left-l.words[i-1].right < gap*l.size {
			continue
		}
		if start == 0 && i == len(l.words) {
			return []pdfLine{*l}
		}
		c := pdfLine{words: l.words[start:i], hyphen: l.hyphen && i == len(l.words)}
		c.measure()
		cells = append(cells, c)
		start = i
	}
	return cells
}

// pdfPage is what a page holds.
type pdfPage struct {
	number  int
	height  float32
	lines   []pdfLine
	picture bool   // nothing but pictures or drawings
	broken  bool   // it could not be read
	read    string // what OCR read in it
}

// rows joins lines that stand beside each other, one after the other, where
// pdfium saw an end of the line.
func rows(lines []pdfLine) []pdfLine {
	var out []pdfLine
	for _, l := range lines {
		if n := len(out); n > 0 && !out[n-1].hyphen && beside(&out[n-1], &l) {
			prev := &out[n-1]
			prev.words, prev.hyphen = append(prev.words[:len(prev.words):len(prev.words)], l.words...), l.hyphen
			prev.measure()
			continue
		}
		out = append(out, l)
	}
	return out
}

// beside reports whether l is right of prev, at the same height.
func beside(prev, l *pdfLine) bool {
	common := min(prev.top, l.top) - max(prev.bottom, l.bottom)
	return l.left >= prev.right && common > 0.6*min(prev.size, l.size) && l.size < 1.3*prev.size && prev.size < 1.3*l.size
}

// columns puts the lines of two columns that were written across the page, row
// by row, below each other: left column first. Lines across both stay between.
// Only prose is taken apart: rows of a table belong together.
func columns(lines []pdfLine) []pdfLine {
	mid, ok := gutter(lines)
	if !ok {
		return lines
	}
	var out, right []pdfLine
	flush := func() {
		out, right = append(out, right...), nil
	}
	for _, l := range lines {
		left, other := l.split(mid)
		switch {
		case left != nil && other != nil:
			out, right = append(out, *left), append(right, *other)
		case l.left >= mid:
			right = append(right, l)
		case l.right <= mid:
			out = append(out, l)
		default:
			flush()
			out = append(out, l)
		}
	}
	flush()
	return out
}

// split cuts a line at the gap that lies over x.
func (l *pdfLine) split(x float32) (left, right *pdfLine) {
	for i := 1; i < len(l.words); i++ {
		if a, b := l.words[i-1].right, l.words[i].left; a <= x && x <= b && b-a >= gap*l.size*0.8 {
			left, right = &pdfLine{words: l.words[:i]}, &pdfLine{words: l.words[i:], hyphen: l.hyphen}
			left.measure()
			right.measure()
			return left, right
		}
	}
	return nil, nil
}

// gutter finds the white band between two columns: most lines have their one
// wide gap over it, and long text on both sides.
func gutter(lines []pdfLine) (float32, bool) {
	var from, to []float32
	wide := 0
	for i := range lines {
		if lines[i].chars > 30 {
			wide++
		}
		cells := lines[i].cells()
		if len(cells) == 2 && cells[0].chars >= 20 && cells[1].chars >= 20 {
			from, to = append(from, cells[0].right), append(to, cells[1].left)
		}
	}
	if len(from) < 6 || len(from)*2 < wide {
		return 0, false
	}
	slices.Sort(from)
	slices.Sort(to)
	// A tenth of the lines may reach into it, as the last of a paragraph does not.
	a, b := from[len(from)*9/10], to[len(to)/10]
	if a >= b {
		return 0, false
	}
	return (a + b) / 2, true
}

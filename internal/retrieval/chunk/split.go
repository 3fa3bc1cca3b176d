package chunk

import (
	"strings"
	"unicode/utf8"

	"portico/internal/retrieval/document"
)

// The defaults of Settings, and what is kept free of the embedder's bound.
const (
	defaultSize = 1000
	// specials is how many tokens an encoder adds around a text.
	specials = 2
	// contextShare is the part of a bound that context may take, at most.
	contextShare = 4
)

// Split cuts doc. tokens counts the tokens of a text as the embedder does; nil
// counts four characters as one.
func Split(doc *document.Document, s Settings, tokens func(string) int) []Chunk {
	c := newCutter(doc, s, tokens)
	var pieces []piece
	for i := range c.sections {
		pieces = append(pieces, c.cut(&c.sections[i])...)
	}
	pieces = c.merge(pieces)
	return c.chunks(pieces)
}

// cutter cuts one document.
type cutter struct {
	doc      *document.Document
	set      Settings
	tokens   func(string) int
	byToken  bool
	sections []section
}

// piece is a chunk in the making.
type piece struct {
	start, end int
	cost       cost
	section    *section
}

// cost is what a text takes of the two bounds.
type cost struct{ size, tokens int }

func (a cost) plus(b cost) cost { return cost{a.size + b.size, a.tokens + b.tokens} }

func newCutter(doc *document.Document, s Settings, tokens func(string) int) *cutter {
	if s.Size <= 0 {
		s.Size = defaultSize
	}
	s.Overlap = min(max(s.Overlap, 0), s.Size/2)
	if s.MinSize <= 0 {
		s.MinSize = s.Size * 2 / 5
	}
	s.MinSize = min(s.MinSize, s.Size)
	if tokens == nil {
		tokens = func(t string) int { return (utf8.RuneCountInString(t) + 3) / 4 }
	}
	c := &cutter{doc: doc, set: s, tokens: tokens}
	c.byToken = s.Splitter == "token" || s.Splitter == "token_transformers"
	c.sections = c.divide()
	return c
}

// cost measures Text[start:end].
func (c *cutter) cost(start, end int) cost {
	text := c.doc.Text[start:end]
	var k cost
	if c.byToken || c.set.MaxTokens > 0 {
		k.tokens = c.tokens(text)
	}
	if k.size = k.tokens; !c.byToken {
		k.size = utf8.RuneCountInString(text)
	}
	return k
}

// fits reports whether a text of that cost may be one chunk of the section.
func (c *cutter) fits(k cost, s *section) bool {
	return k.size <= c.set.Size && (c.set.MaxTokens <= 0 || k.tokens <= c.room(s))
}

// room is how many tokens the text of a chunk may have beside its context.
func (c *cutter) room(s *section) int {
	return max(1, c.set.MaxTokens-specials-s.contextTokens)
}

// merge joins pieces that are too small with their neighbours, as far as they
// fit together: first those that follow each other in one chapter.
func (c *cutter) merge(pieces []piece) []piece {
	out := pieces[:0]
	for _, p := range pieces {
		if n := len(out); n > 0 && c.together(&out[n-1], &p) {
			out[n-1].cost = c.cost(out[n-1].start, p.end)
			out[n-1].end = p.end
			continue
		}
		out = append(out, p)
	}
	return out
}

// together reports whether b belongs with a, which stands before it.
func (c *cutter) together(a, b *piece) bool {
	if a.section != b.section {
		least := c.set.MinSize
		if b.section.level < a.section.level { // a new chapter begins
			least /= 2
		}
		if a.cost.size >= least && !(b.cost.size < c.set.MinSize/2 && b.section.last) {
			return false
		}
	} else if a.cost.size >= c.set.MinSize && b.cost.size >= c.set.MinSize {
		return false
	}
	return c.fits(c.cost(a.start, b.end), a.section)
}

// chunks makes the pieces into what is kept.
func (c *cutter) chunks(pieces []piece) []Chunk {
	all := make([]Chunk, 0, len(pieces))
	pos := position{text: c.doc.Text}
	for _, p := range pieces {
		start, end := trim(c.doc.Text, p.start, p.end)
		if start >= end {
			continue
		}
		ch := Chunk{Text: c.doc.Text[start:end], Start: start, End: end, Context: c.context(p.section, start)}
		ch.First = pos.at(start)
		ch.Last = ch.First + utf8.RuneCountInString(ch.Text)
		ch.Page, ch.LastPage = c.page(start), c.page(end-1)
		all = append(all, ch)
	}
	return all
}

// position turns bytes into characters, for offsets that hardly ever go back.
type position struct {
	text         string
	bytes, runes int
}

func (p *position) at(byteOffset int) int {
	if byteOffset < p.bytes {
		p.runes -= utf8.RuneCountInString(p.text[byteOffset:p.bytes])
	} else {
		p.runes += utf8.RuneCountInString(p.text[p.bytes:byteOffset])
	}
	p.bytes = byteOffset
	return p.runes
}

func trim(text string, start, end int) (int, int) {
	t := strings.TrimRight(text[start:end], " \t\n\r\f\v\u00a0\u2003")
	end = start + len(t)
	// A first line keeps its indent: in code and lists it means something.
	for start < end {
		line, _, found := strings.Cut(text[start:end], "\n")
		if !found || strings.TrimSpace(line) != "" {
			break
		}
		start += len(line) + 1
	}
	return start, end
}

package chunk

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"portico/internal/retrieval/document"
)

// atom is a part of a section that is not cut unless it does not fit alone.
type atom struct {
	start, end int
	kind       kind
}

type kind uint8

const (
	prose kind = iota
	row        // of a table
	solid      // code
)

// cut makes the pieces of one section: as many atoms together as fit.
func (c *cutter) cut(s *section) []piece {
	var (
		out   []piece
		cur   = piece{start: s.start, end: s.start, section: s}
		fresh = s.start // where that begins which is in no piece yet
	)
	flush := func() {
		if strings.TrimSpace(c.doc.Text[fresh:cur.end]) != "" {
			out = append(out, cur)
		}
	}
	for _, a := range c.fitting(c.atoms(s), s) {
		k := c.cost(a.start, a.end)
		if cur.end > cur.start && !c.fits(cur.cost.plus(k), s) {
			flush()
			fresh = a.start
			from := c.overlap(cur, a)
			cur = piece{start: from, end: a.start, section: s, cost: c.cost(from, a.start)}
			if from < a.start && !c.fits(cur.cost.plus(k), s) {
				cur.start, cur.cost = a.start, cost{}
			}
		}
		cur.end, cur.cost = a.end, cur.cost.plus(k)
	}
	flush()
	return out
}

// overlap is where the piece after p begins, which goes on with a: some
// sentences or words before it. Rows of tables and code repeat nothing.
func (c *cutter) overlap(p piece, a atom) int {
	if c.set.Overlap == 0 || a.kind != prose {
		return a.start
	}
	text := c.doc.Text[p.start:a.start]
	tables := within(c.doc.Tables, &section{start: p.start, end: a.start}, func(t document.Table) document.Span { return t.Span })
	if n := len(tables); n > 0 {
		text = text[min(len(text), tables[n-1].End-p.start):]
	}
	want := c.set.Overlap
	if c.byToken {
		want *= 4 // characters, about
	}
	n, chars := len(text), 0
	for n > 0 && chars < want {
		_, size := utf8.DecodeLastRuneInString(text[:n])
		n, chars = n-size, chars+1
	}
	tail := text[n:]
	from := a.start - len(tail) + boundary(tail)
	// The whole piece again would be no step forward.
	old, _ := trim(c.doc.Text, p.start, p.end)
	if first, _ := trim(c.doc.Text, from, a.end); first <= old {
		return a.start
	}
	return from
}

// boundary is where the first sentence of a tail begins, else the first word.
func boundary(tail string) int {
	if i := sentence(tail); i > 0 && i < len(tail) && len(tail)-i > len(tail)/4 {
		return i
	}
	if i := strings.IndexFunc(tail, unicode.IsSpace); i >= 0 {
		for i < len(tail) {
			r, size := utf8.DecodeRuneInString(tail[i:])
			if !unicode.IsSpace(r) {
				return i
			}
			i += size
		}
	}
	return len(tail)
}

// atoms are the paragraphs, rows and blocks of code of a section, which they
// cover without a gap.
func (c *cutter) atoms(s *section) []atom {
	var out []atom
	at := s.start
	for _, b := range c.blocks(s) {
		out = append(out, split(c.doc.Text, atom{at, b.start, prose}, paragraphs)...)
		if b.kind == row {
			out = append(out, split(c.doc.Text, b, lines)...)
		} else {
			out = append(out, b)
		}
		at = b.end
	}
	return append(out, split(c.doc.Text, atom{at, s.end, prose}, paragraphs)...)
}

// blocks are the tables and the code in a section.
func (c *cutter) blocks(s *section) []atom {
	var out []atom
	add := func(span document.Span, k kind) {
		if a := (atom{max(span.Start, s.start), min(span.End, s.end), k}); a.start < a.end {
			out = append(out, a)
		}
	}
	for _, t := range within(c.doc.Tables, s, func(t document.Table) document.Span { return t.Span }) {
		add(t.Span, row)
	}
	for _, sp := range within(c.doc.Solid, s, func(sp document.Span) document.Span { return sp }) {
		add(sp, solid)
	}
	slices.SortFunc(out, func(a, b atom) int { return a.start - b.start })
	// What overlaps belongs to the first.
	end := s.start
	return slices.DeleteFunc(out, func(a atom) bool {
		if a.start < end {
			return true
		}
		end = a.end
		return false
	})
}

// within gives the members of a sorted list that touch a section.
func within[T any](all []T, s *section, span func(T) document.Span) []T {
	from, _ := slices.BinarySearchFunc(all, s.start, func(t T, at int) int { return span(t).End - at - 1 })
	to := from
	for to < len(all) && span(all[to]).Start < s.end {
		to++
	}
	return all[from:to]
}

// fitting cuts what does not fit alone: prose at sentences, then words, then
// characters; code and rows at lines first.
func (c *cutter) fitting(all []atom, s *section) []atom {
	out := make([]atom, 0, len(all))
	for _, a := range all {
		out = c.fit(out, a, s, 0)
	}
	return out
}

// finer are the ways to cut, from coarse to fine.
var finer = [...]func(string) int{lines, sentence, word}

func (c *cutter) fit(out []atom, a atom, s *section, way int) []atom {
	// A text of so many bytes has more characters than the bound: measuring it
	// whole at every level would cost.
	if a.end-a.start <= 8*(c.set.Size+1) && c.fits(c.cost(a.start, a.end), s) {
		return append(out, a)
	}
	if way == len(finer) {
		return c.slice(out, a, s)
	}
	for _, part := range split(c.doc.Text, a, finer[way]) {
		out = c.fit(out, part, s, way+1)
	}
	return out
}

// slice cuts a text without any place to cut into runs of characters that fit.
func (c *cutter) slice(out []atom, a atom, s *section) []atom {
	step := c.set.Size
	if c.byToken {
		step *= 4
	}
	if c.set.MaxTokens > 0 {
		step = min(step, c.room(s))
	}
	for at := a.start; at < a.end; {
		end := at
		for n := 0; n < max(step, 1) && end < a.end; n++ {
			_, size := utf8.DecodeRuneInString(c.doc.Text[end:a.end])
			end += size
		}
		for end-at > 1 && !c.fits(c.cost(at, end), s) {
			half := at + (end-at)/2
			for half > at && !utf8.RuneStart(c.doc.Text[half]) {
				half--
			}
			if half == at {
				break
			}
			end = half
		}
		out = append(out, atom{at, end, a.kind})
		at = end
	}
	return out
}

// split cuts an atom with next, which gives the length of the first part.
func split(text string, a atom, next func(string) int) []atom {
	var out []atom
	for a.start < a.end {
		n := next(text[a.start:a.end])
		out = append(out, atom{a.start, a.start + n, a.kind})
		a.start += n
	}
	return out
}

// paragraphs is the length of the first paragraph, blank lines after it included.
func paragraphs(text string) int {
	for i := 0; ; {
		n := strings.IndexByte(text[i:], '\n')
		if n < 0 {
			return len(text)
		}
		i += n + 1
		if !blank(text[i:]) {
			continue
		}
		for i < len(text) && blank(text[i:]) {
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				return len(text)
			}
			i += n + 1
		}
		return i
	}
}

// blank reports whether a text begins with an empty line.
func blank(text string) bool {
	line, _, found := strings.Cut(text, "\n")
	return found && strings.TrimSpace(line) == ""
}

func lines(text string) int {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return i + 1
	}
	return len(text)
}

// sentence is the length of the first sentence and the space after it.
func sentence(text string) int {
	for i, r := range text {
		switch r {
		case '。', '！', '？':
			return i + utf8.RuneLen(r)
		case '.', '!', '?', '…':
		default:
			continue
		}
		end := i + utf8.RuneLen(r)
		rest := strings.TrimLeft(text[end:], `"')]}»”’`)
		after := strings.TrimLeftFunc(rest, unicode.IsSpace)
		if len(after) == len(rest) || after == "" {
			continue
		}
		if first, _ := utf8.DecodeRuneInString(after); unicode.IsLower(first) {
			continue // an abbreviation
		}
		return len(text) - len(after)
	}
	return len(text)
}

// word is the length of the first word and the space after it.
func word(text string) int {
	space := false
	for i, r := range text {
		if unicode.IsSpace(r) {
			space = true
		} else if space {
			return i
		}
	}
	return len(text)
}

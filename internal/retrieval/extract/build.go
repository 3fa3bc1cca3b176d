package extract

import (
	"slices"
	"strings"
	"unicode/utf8"

	"portico/internal/retrieval/document"
)

// maxWarnings is how many different warnings one document carries.
const maxWarnings = 50

// builder makes a document.Document from its pieces in reading order. What is
// appended is cleaned: line ends become LF, control characters and byte order
// marks go, what is no UTF-8 becomes U+FFFD. After more text than the limit it
// takes nothing and err gives the reason, which a reader of many pieces looks
// at now and then; done gives it in any case.
type builder struct {
	doc   document.Document
	text  []byte
	most  int64
	err   error
	cr    bool // the last byte appended was a CR, which an LF may follow
	table int  // where the open table begins, -1 for none
	head  string
}

func newBuilder(lim *Limits) *builder {
	return &builder{most: lim.Text, table: -1}
}

// write appends s as it is, apart from what cleaning takes.
func (b *builder) write(s string) {
	if b.err != nil || s == "" {
		return
	}
	if int64(len(b.text))+int64(len(s)) > b.most {
		b.err = overLimit("text", "This file holds more than %d MiB of text, which is the limit.", b.most>>20)
		return
	}
	if !b.cr && clean(s) {
		b.text = append(b.text, s...)
		return
	}
	for _, r := range s {
		was := b.cr
		b.cr = r == '\r'
		switch {
		case r == '\n' && was:
		case r == '\r' || r == '\u2028' || r == '\u2029' || r == '\f':
			b.text = append(b.text, '\n')
		case r < ' ' && r != '\n' && r != '\t', r >= 0x7f && r < 0xa0, r == '\ufeff':
		default: // also the U+FFFD that stands for a bad byte
			b.text = utf8.AppendRune(b.text, r)
		}
	}
}

// clean reports whether s may stay as it is.
func clean(s string) bool {
	high := false
	for i := range len(s) {
		c := s[i]
		if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return false
		}
		high = high || c >= 0x80
	}
	if !high {
		return true
	}
	for i, r := range s {
		switch {
		case r >= 0x80 && r < 0xa0, r == '\ufeff', r == '\u2028', r == '\u2029':
			return false
		case r == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return false
			}
		}
	}
	return true
}

// len is the offset at which the next text comes.
func (b *builder) len() int { return len(b.text) }

// line ends the line that was begun, if one was.
func (b *builder) line() {
	if n := len(b.text); n > 0 && b.text[n-1] != '\n' {
		b.newline()
	}
}

func (b *builder) newline() {
	b.cr = false
	b.write("\n")
}

// blank ends the paragraph that was begun, if one was: an empty line follows.
func (b *builder) blank() {
	b.line()
	if n := len(b.text); n > 1 && b.text[n-2] != '\n' {
		b.newline()
	}
}

// paragraph appends text as a paragraph of its own, its ends trimmed.
func (b *builder) paragraph(text string) {
	if text = strings.TrimSpace(text); text != "" {
		b.endTable()
		b.blank()
		b.write(text)
		b.blank()
	}
}

// page begins a page, slide or sheet. Two that begin at the same place, as
// empty ones do, are kept both.
func (b *builder) page(label string) {
	b.endTable()
	b.blank()
	b.doc.Pages = append(b.doc.Pages, document.Page{Start: b.len(), Label: oneLine(label)})
}

// heading appends a heading as a line of its own. Level 1 is the top.
func (b *builder) heading(level int, text string) {
	if text = oneLine(text); text == "" || b.err != nil {
		return
	}
	b.endTable()
	b.blank()
	start := b.len()
	b.write(text)
	b.markHeading(level, start, b.len())
	b.blank()
}

// markHeading says that text which was appended already is a heading.
func (b *builder) markHeading(level, start, end int) {
	if end > start {
		b.doc.Headings = append(b.doc.Headings, document.Heading{Span: document.Span{Start: start, End: end}, Level: min(max(level, 1), 9)})
	}
}

// code appends text as a block that should not be cut.
func (b *builder) code(text string) {
	text = strings.Trim(text, "\r\n")
	if strings.TrimSpace(text) == "" {
		return
	}
	b.endTable()
	b.blank()
	start := b.len()
	b.write(text)
	b.markSolid(start, b.len())
	b.blank()
}

// markSolid says that text which was appended already should not be cut.
func (b *builder) markSolid(start, end int) {
	if end > start {
		b.doc.Solid = append(b.doc.Solid, document.Span{Start: start, End: end})
	}
}

// row appends a row of a table: its cells in one line, "a | b | c". The first
// row after anything else begins a table; header says that it is its header.
// End the table with endTable, heading or page.
func (b *builder) row(cells []string, header bool) {
	for len(cells) > 0 && strings.TrimSpace(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	if len(cells) == 0 || b.err != nil {
		return
	}
	if b.table < 0 {
		b.blank()
		b.table = b.len()
	}
	start := b.len()
	for i, c := range cells {
		if i > 0 {
			b.write(" | ")
		}
		b.write(oneLine(c))
	}
	if header && start == b.table {
		b.head = string(b.text[start:])
	}
	b.write("\n")
}

// endTable ends the table that row began, if one is open.
func (b *builder) endTable() {
	if b.table >= 0 {
		b.markTable(b.table, b.len(), b.head)
		b.table, b.head = -1, ""
		b.blank()
	}
}

// markTable says that text which was appended already is the rows of a table.
func (b *builder) markTable(start, end int, header string) {
	if end > start {
		b.doc.Tables = append(b.doc.Tables, document.Table{Span: document.Span{Start: start, End: end}, Header: header})
	}
}

// title is the document's own; the first that is not empty counts.
func (b *builder) title(s string) {
	if b.doc.Title == "" {
		b.doc.Title = cut(oneLine(s), 300)
	}
}

// warn notes what could not be read, in a sentence; the same one once.
func (b *builder) warn(sentence string) {
	if len(b.doc.Warnings) < maxWarnings && !slices.Contains(b.doc.Warnings, sentence) {
		b.doc.Warnings = append(b.doc.Warnings, sentence)
	}
}

// add appends another document, as of a member of an archive, whole. Its title
// is not taken.
func (b *builder) add(d *document.Document) {
	b.endTable()
	b.blank()
	at := b.len()
	b.write(d.Text)
	if b.err != nil || b.len()-at != len(d.Text) { // a document's text is clean
		return
	}
	move := func(s document.Span) document.Span { return document.Span{Start: s.Start + at, End: s.End + at} }
	for _, p := range d.Pages {
		b.doc.Pages = append(b.doc.Pages, document.Page{Start: p.Start + at, Label: p.Label})
	}
	for _, h := range d.Headings {
		b.doc.Headings = append(b.doc.Headings, document.Heading{Span: move(h.Span), Level: h.Level})
	}
	for _, t := range d.Tables {
		b.doc.Tables = append(b.doc.Tables, document.Table{Span: move(t.Span), Header: t.Header})
	}
	for _, s := range d.Solid {
		b.doc.Solid = append(b.doc.Solid, move(s))
	}
	for _, w := range d.Warnings {
		b.warn(w)
	}
	b.blank()
}

// done gives the document, or why it cannot be given. A document without any
// text is given, too: Parser judges it.
func (b *builder) done() (*document.Document, error) {
	b.endTable()
	if b.err != nil {
		return nil, b.err
	}
	b.trim()
	b.doc.Text = string(b.text)
	return &b.doc, nil
}

// trim takes empty lines from the end of the text.
func (b *builder) trim() {
	n := len(b.text)
	for n > 1 && b.text[n-1] == '\n' && b.text[n-2] == '\n' {
		n--
	}
	b.text = b.text[:n]
	for i := range b.doc.Pages {
		b.doc.Pages[i].Start = min(b.doc.Pages[i].Start, n)
	}
	for i := range b.doc.Solid {
		b.doc.Solid[i].End = min(b.doc.Solid[i].End, n)
	}
	for i := range b.doc.Tables {
		b.doc.Tables[i].End = min(b.doc.Tables[i].End, n)
	}
}

// oneLine joins the words of s by single spaces.
func oneLine(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x80 || s[i] == ' ' && (i == 0 || i == len(s)-1 || s[i+1] == ' ') {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

// cut gives at most n bytes of s, whole runes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// headerRow reports whether the first of a table's rows reads like a header:
// every cell named, none of them a number, no name twice.
func headerRow(first, second []string) bool {
	if len(first) < 2 || len(second) == 0 {
		return false
	}
	seen := map[string]bool{}
	for _, c := range first {
		c = strings.ToLower(oneLine(c))
		if c == "" || len(c) > 80 || number(c) || seen[c] {
			return false
		}
		seen[c] = true
	}
	return true
}

// number reports whether s is digits with what commonly stands between and
// around them: 1,024.50, 12 %, -3, 2026-11-22.
func number(s string) bool {
	digits := 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case strings.ContainsRune("+-.,:/ %$€£ ()", r):
		default:
			return false
		}
	}
	return digits > 0
}

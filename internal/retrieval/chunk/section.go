package chunk

import (
	"slices"
	"strings"

	"portico/internal/retrieval/document"
)

// section is what stands under one heading, the heading included.
type section struct {
	start, end    int
	level         int      // of its heading; a large number before the first one
	path          []string // titles above it, from the top
	own           string   // its own heading
	body          int      // where the text after the heading begins
	contextTokens int
	last          bool // the last of its document
}

// noLevel is deeper than any heading.
const noLevel = 1 << 20

// divide cuts the document at its headings.
func (c *cutter) divide() []section {
	text := c.doc.Text
	var all []section
	if !c.set.Headings || len(c.doc.Headings) == 0 {
		all = []section{{end: len(text), level: noLevel}}
	} else {
		all = c.byHeadings()
	}
	for i := range all {
		s := &all[i]
		if c.set.MaxTokens > 0 {
			s.contextTokens = min(c.tokens(c.heads(s, s.body)), c.set.MaxTokens/contextShare)
		}
	}
	all[len(all)-1].last = true
	return all
}

func (c *cutter) byHeadings() []section {
	text, heads := c.doc.Text, c.doc.Headings
	var all []section
	if heads[0].Start > 0 {
		all = append(all, section{end: heads[0].Start, level: noLevel})
	}
	var open []document.Heading // the headings above, from the top
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1].Start
		}
		for len(open) > 0 && open[len(open)-1].Level >= h.Level {
			open = open[:len(open)-1]
		}
		s := section{start: h.Start, end: end, level: h.Level, own: title(text, h), body: min(h.End, end)}
		for _, above := range open {
			s.path = append(s.path, title(text, above))
		}
		open = append(open, h)
		if s.end > s.start {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		all = []section{{end: len(text), level: noLevel}}
	}
	return all
}

// title is a heading without its marks.
func title(text string, h document.Heading) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text[h.Start:h.End]), "\n")
	return strings.TrimSpace(strings.Trim(line, "#= "))
}

// longest is how much of one line of context is kept, in bytes.
const longest = 160

// heads is the title and the headings that a chunk is read with which begins
// at byte start of section s.
func (c *cutter) heads(s *section, start int) string {
	var lines []string
	add := func(line string) {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && (len(lines) == 0 || !strings.EqualFold(lines[len(lines)-1], line)) {
			lines = append(lines, short(line, longest))
		}
	}
	add(c.doc.Title)
	path := s.path
	if start > s.start && start >= s.body && s.own != "" {
		path = append(slices.Clip(path), s.own)
	}
	if n := len(path); n > 4 { // the top and what is nearest say most
		path = append([]string{path[0]}, path[n-3:]...)
	}
	for _, p := range path {
		add(p)
	}
	return strings.Join(lines, " › ")
}

// context is heads and, inside a table, its header.
func (c *cutter) context(s *section, start int) string {
	heads := c.heads(s, start)
	i, found := slices.BinarySearchFunc(c.doc.Tables, start, func(t document.Table, at int) int {
		if at >= t.End {
			return -1
		}
		if at < t.Start {
			return 1
		}
		return 0
	})
	if !found || c.doc.Tables[i].Header == "" || start == c.doc.Tables[i].Start {
		return heads
	}
	header := short(c.doc.Tables[i].Header, 2*longest)
	if heads == "" {
		return header
	}
	return heads + "\n" + header
}

// short cuts a text at a character, not later than n bytes.
func short(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xc0 == 0x80 {
		n--
	}
	return strings.TrimSpace(text[:n]) + "…"
}

// page is the label of the page that holds a byte.
func (c *cutter) page(at int) string {
	i, found := slices.BinarySearchFunc(c.doc.Pages, at, func(p document.Page, at int) int { return p.Start - at })
	if !found {
		i--
	}
	if i < 0 {
		return ""
	}
	// Empty pages begin where the next one does: the last of them holds it.
	for i+1 < len(c.doc.Pages) && c.doc.Pages[i+1].Start <= at {
		i++
	}
	return c.doc.Pages[i].Label
}

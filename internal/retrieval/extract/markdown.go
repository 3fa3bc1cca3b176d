package extract

import (
	"context"
	"strings"

	"portico/internal/retrieval/document"
)

// readMarkdown takes Markdown as it is and marks its headings, fenced code and
// tables. A title in front matter, else a first heading of level 1, is the
// document's.
func readMarkdown(_ context.Context, in *Input, lim *Limits) (*document.Document, error) {
	s, err := in.text(lim, in.charset())
	if err != nil {
		return nil, err
	}
	b := newBuilder(lim)
	b.write(s)
	markMarkdown(b, 0)
	return b.done()
}

// markMarkdown marks what the builder holds from an offset on.
func markMarkdown(b *builder, from int) {
	m := markdown{b: b, rest: string(b.text[from:]), at: from}
	m.frontMatter()
	for m.rest != "" {
		m.block()
	}
}

// markdown walks over lines. at is the offset of rest.
type markdown struct {
	b    *builder
	rest string
	at   int
	para string // the line before, when it is of a paragraph
}

// line gives the next line without its end, and how long it is with it.
func (m *markdown) line() (string, int) {
	if i := strings.IndexByte(m.rest, '\n'); i >= 0 {
		return m.rest[:i], i + 1
	}
	return m.rest, len(m.rest)
}

func (m *markdown) skip(n int) { m.rest, m.at = m.rest[n:], m.at+n }

// frontMatter passes over the YAML between two lines of dashes at the top.
func (m *markdown) frontMatter() {
	if !strings.HasPrefix(m.rest, "---\n") {
		return
	}
	end := strings.Index(m.rest, "\n---\n")
	if end < 0 || end > 16<<10 {
		return
	}
	for line := range strings.Lines(m.rest[4 : end+1]) {
		if v, ok := strings.CutPrefix(line, "title:"); ok {
			m.b.title(strings.Trim(strings.TrimSpace(v), `"'`))
		}
	}
	m.b.markSolid(m.at, m.at+end+4)
	m.skip(end + 5)
}

// block takes the next line, or the block that it begins.
func (m *markdown) block() {
	line, n := m.line()
	text := strings.TrimLeft(line, " ")
	indent := len(line) - len(text)
	para := m.para
	m.para = ""
	switch {
	case indent < 4 && fence(text) != "":
		m.code(fence(text))
		return
	case indent < 4 && strings.HasPrefix(text, "#"):
		level := len(text) - len(strings.TrimLeft(text, "#"))
		if rest := text[level:]; level <= 6 && (rest == "" || rest[0] == ' ' || rest[0] == '\t') {
			m.heading(level, m.at, line)
		}
	case indent < 4 && para != "" && underline(text) > 0:
		m.heading(underline(text), m.at-len(para)-1, para)
	case strings.Contains(text, "|") && m.table(n):
		return
	case strings.TrimSpace(text) != "":
		m.para = line
	}
	m.skip(n)
}

// heading marks a line that begins at an offset.
func (m *markdown) heading(level, start int, line string) {
	text := strings.Trim(strings.TrimSpace(line), "# \t")
	if text == "" {
		return
	}
	m.b.markHeading(level, start, start+len(line))
	if level == 1 && len(m.b.doc.Headings) == 1 {
		m.b.title(text)
	}
}

// fence gives the fence that begins code, "" where text is none.
func fence(text string) string {
	for _, c := range [...]string{"`", "~"} {
		n := len(text) - len(strings.TrimLeft(text, c))
		if n >= 3 && !(c == "`" && strings.Contains(text[n:], "`")) {
			return text[:n]
		}
	}
	return ""
}

// underline gives the level of the heading that a line of = or - makes of the
// line above; 0 is none.
func underline(text string) int {
	text = strings.TrimRight(text, " \t")
	switch {
	case len(text) > 0 && strings.Trim(text, "=") == "":
		return 1
	case len(text) > 1 && strings.Trim(text, "-") == "":
		return 2
	}
	return 0
}

// code takes lines up to the fence's end, or all that are left.
func (m *markdown) code(fence string) {
	start := m.at
	_, n := m.line()
	m.skip(n)
	for m.rest != "" {
		line, n := m.line()
		m.skip(n)
		if text := strings.TrimSpace(line); strings.HasPrefix(text, fence) && strings.Trim(text, fence[:1]) == "" {
			break
		}
	}
	m.b.markSolid(start, m.at)
}

// table takes a header of n bytes, its line of dashes and the rows; it reports
// false where there is none.
func (m *markdown) table(n int) bool {
	header := strings.TrimSpace(m.rest[:n])
	dashes, _, _ := strings.Cut(m.rest[n:], "\n")
	if !strings.Contains(dashes, "-") || !strings.Contains(dashes, "|") || strings.Trim(dashes, "|-: \t\r") != "" {
		return false
	}
	start := m.at
	m.skip(n)
	for m.rest != "" {
		line, n := m.line()
		if !strings.Contains(line, "|") {
			break
		}
		m.skip(n)
	}
	m.b.markTable(start, m.at, header)
	return true
}

package extract

import (
	"context"
	"strings"
	"unicode/utf8"

	"portico/internal/retrieval/document"
)

// readRST takes reStructuredText as it is and marks its headings, literal
// blocks and tables.
func readRST(_ context.Context, in *Input, lim *Limits) (*document.Document, error) {
	s, err := in.text(lim, in.charset())
	if err != nil {
		return nil, err
	}
	b := newBuilder(lim)
	b.write(s)
	r := rst{b: b}
	for line := range strings.Lines(string(b.text)) {
		r.lines, r.at = append(r.lines, strings.TrimRight(line, " \t\n")), append(r.at, r.end)
		r.end += len(line)
	}
	for i := 0; i < len(r.lines); {
		i = max(r.block(i), i+1)
	}
	return b.done()
}

type rst struct {
	b      *builder
	lines  []string
	at     []int // offset of each
	end    int   // offset of what follows the last
	styles []string
}

func (r *rst) offset(i int) int {
	if i < len(r.at) {
		return r.at[i]
	}
	return r.end
}

func (r *rst) line(i int) string {
	if i >= 0 && i < len(r.lines) {
		return r.lines[i]
	}
	return ""
}

// block marks what begins at a line and gives the line after it.
func (r *rst) block(i int) int {
	line, below := r.lines[i], r.line(i+1)
	switch {
	case adorned(line) && below != "" && r.line(i+2) == line: // a title with a line above
		r.heading(i+1, line[:1]+line[:1])
		return i + 3
	case line != "" && line[0] != ' ' && !adorned(line) && adorned(below) && len(below) >= utf8.RuneCountInString(line):
		r.heading(i, below[:1])
		return i + 2
	case strings.HasPrefix(line, "+-") || strings.HasPrefix(line, "==") && strings.Contains(line, " "):
		return r.table(i)
	case strings.HasPrefix(line, ".. code") || strings.HasPrefix(line, ".. literalinclude") || strings.HasSuffix(line, "::") && !strings.HasPrefix(strings.TrimSpace(line), ".."):
		return r.literal(i)
	}
	return i + 1
}

// adorned reports whether a line is one sign of punctuation, again and again.
func adorned(line string) bool {
	return len(line) >= 2 && strings.Contains("=-~`'\"^_*+#:.<>", line[:1]) && strings.Trim(line, line[:1]) == ""
}

// heading marks a line. A style of adornment is one level deeper than those
// that were met before it.
func (r *rst) heading(i int, style string) {
	level := 0
	for n, s := range r.styles {
		if s == style {
			level = n + 1
		}
	}
	if level == 0 {
		r.styles = append(r.styles, style)
		level = len(r.styles)
	}
	r.b.markHeading(level, r.at[i], r.at[i]+len(r.lines[i]))
	if len(r.b.doc.Headings) == 1 {
		r.b.title(r.lines[i])
	}
}

// literal takes the indented block after a line.
func (r *rst) literal(i int) int {
	j := i + 1
	last := i
	for ; j < len(r.lines); j++ {
		if r.lines[j] == "" {
			continue
		}
		if r.lines[j][0] != ' ' && r.lines[j][0] != '\t' {
			break
		}
		last = j
	}
	if last > i {
		r.b.markSolid(r.at[i], r.offset(last+1))
	}
	return last + 1
}

// table takes a grid or simple table: the lines up to an empty one. Of a grid
// the header is above the line of equal signs, of a simple one below the first.
func (r *rst) table(i int) int {
	j := i + 1
	for j < len(r.lines) && r.lines[j] != "" {
		j++
	}
	if j-i < 3 {
		return j
	}
	header := ""
	for k := i + 1; k < j-1; k++ {
		if strings.Trim(r.lines[k], "+= ") == "" {
			header = strings.TrimSpace(strings.Join(r.lines[i+1:k], "\n"))
			break
		}
	}
	r.b.markTable(r.at[i], r.offset(j), header)
	return j
}

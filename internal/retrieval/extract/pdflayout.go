package extract

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// layPages writes pages in reading order: paragraphs whose lines are joined,
// headings, tables as rows. What repeats at the edges of pages is left out.
func layPages(b *builder, pages []pdfPage, outline []pdfMark) {
	for i := range pages {
		pages[i].lines = columns(rows(pages[i].lines))
	}
	w := pdfWriter{b: b}
	body := bodySize(pages)
	dropEdges(pages, body)
	w.levels = headingSizes(pages, body)
	marks := map[int][]pdfMark{}
	for _, m := range outline {
		marks[m.page] = append(marks[m.page], m)
	}
	var damaged []int
	for i := range pages {
		b.page(strconv.Itoa(pages[i].number))
		if pages[i].broken {
			damaged = append(damaged, i)
		}
		w.marks = marks[i]
		w.page(&pages[i])
		if b.err != nil {
			return
		}
	}
	if len(damaged) > 0 {
		b.warn("Damaged pages of this PDF could not be read: " + pageList(damaged) + ".")
	}
}

// pdfWriter writes the lines of pages.
type pdfWriter struct {
	b      *builder
	levels map[int]int // of headings, by size in quarter points
	marks  []pdfMark   // of the outline on this page
	prev   *pdfLine    // the line before, of the same paragraph
}

func (w *pdfWriter) page(p *pdfPage) {
	w.prev = nil
	if p.read != "" {
		w.b.paragraph(p.read)
		return
	}
	for i := 0; i < len(p.lines); {
		if n := tableAt(p.lines[i:]); n > 0 {
			w.table(p.lines[i : i+n])
			i += n
			continue
		}
		l := &p.lines[i]
		if level, n := w.headingAt(p.lines[i:]); level > 0 {
			var text []string
			for j := range n {
				text = append(text, p.lines[i+j].text())
			}
			w.b.heading(level, strings.Join(text, " "))
			w.prev = nil
			i += n
			continue
		}
		w.line(l, rightEdge(p.lines, max(i-1, 0)))
		i++
	}
	w.b.blank()
}

// rightEdge is where full lines around the i-th end: those that begin at the
// same margin.
func rightEdge(lines []pdfLine, i int) float32 {
	const around = 12
	l, edge := &lines[i], lines[i].right
	for j := max(0, i-around); j < min(len(lines), i+around); j++ {
		if o := &lines[j]; abs(o.left-l.left) < 3*l.size && abs(o.size-l.size) < l.size/4 {
			edge = max(edge, o.right)
		}
	}
	return edge
}

// line writes a line: joined to the one before where it goes on with it.
func (w *pdfWriter) line(l *pdfLine, right float32) {
	b, prev, text := w.b, w.prev, l.text()
	w.prev = l
	switch {
	case prev == nil:
		b.blank()
	case prev.hyphen || strings.HasSuffix(prev.words[len(prev.words)-1].text, "\u00ad"):
		// pdfium took the hyphen away
	case brokenWord(prev, text):
		b.text = b.text[:len(b.text)-1]
	case spaced(prev, l):
		b.blank()
	case bullet(text) || ends(prev, l, right):
		b.line()
	default:
		b.write(" ")
	}
	b.write(text)
}

// brokenWord reports whether the hyphen at the end of a line breaks a word of
// which text is the rest: letters before it, a small letter after it.
func brokenWord(prev *pdfLine, text string) bool {
	last, ok := strings.CutSuffix(prev.words[len(prev.words)-1].text, "-")
	before, _ := utf8.DecodeLastRuneInString(last)
	after, _ := utf8.DecodeRuneInString(text)
	return ok && unicode.IsLower(before) && unicode.IsLower(after) && !strings.Contains(last, "-")
}

// spaced reports whether more than line spacing, or another size, lies between
// lines, or a jump to the top of the next column in mid-air.
func spaced(prev, l *pdfLine) bool {
	if prev.size == 0 || l.size == 0 {
		return false
	}
	down := prev.bottom - l.top
	ratio := l.size / prev.size
	return down > 0.75*max(l.size, prev.size) || ratio > 1.3 || ratio < 0.7
}

// ends reports whether prev was the last line of a paragraph that l does not
// belong to: it stops well short of the edge, or l is indented.
func ends(prev, l *pdfLine, right float32) bool {
	if prev.size == 0 || l.size == 0 {
		return true
	}
	if l.top > prev.top+prev.size { // a new column: the paragraph may go on
		first, _ := utf8.DecodeRuneInString(l.words[0].text)
		return !unicode.IsLower(first)
	}
	next := l.words[0].right - l.words[0].left
	return prev.right+next+1.5*prev.size < right || l.left > prev.left+0.8*l.size
}

// bullet reports whether a line begins an item of a list.
func bullet(text string) bool {
	first, rest, ok := strings.Cut(text, " ")
	if !ok || rest == "" {
		return false
	}
	switch first {
	case "•", "◦", "▪", "–", "-", "*", "·", "‣", "○", "●", "■", "➢", "✓":
		return true
	}
	n := strings.TrimRight(first, ".)")
	if n == first || len(n) > 5 || n == "" {
		return false
	}
	for _, r := range n {
		if (r < '0' || r > '9') && r != '.' && len(n) > 1 {
			return false
		}
	}
	return true
}

// headingAt gives the level of the heading that begins here, and how many lines
// it has; 0 is none.
func (w *pdfWriter) headingAt(lines []pdfLine) (level, n int) {
	if level, n = w.markAt(lines); n > 0 {
		return level, n
	}
	l := &lines[0]
	level = w.levels[quarter(l.size)]
	if level == 0 || l.chars > 150 || !wordy(l) {
		return 0, 0
	}
	for n = 1; n < len(lines) && n < 3 && quarter(lines[n].size) == quarter(l.size) && lines[n-1].bottom-lines[n].top < 0.75*l.size && wordy(&lines[n]); n++ {
	}
	if n == 3 && len(lines) > 3 && quarter(lines[3].size) == quarter(l.size) {
		return 0, 0 // large text that goes on is no heading
	}
	return level, n
}

// markAt finds the entry of the outline that stands at these lines.
func (w *pdfWriter) markAt(lines []pdfLine) (level, n int) {
	for i, m := range w.marks {
		want := letters(m.title)
		if want == "" {
			continue
		}
		got := ""
		for n := 1; n <= min(3, len(lines)); n++ {
			got += letters(lines[n-1].text())
			if got == want || len(want) > 8 && strings.HasSuffix(got, want) && len(got)-len(want) < 12 {
				w.marks = slices.Delete(slices.Clone(w.marks), i, i+1)
				return m.level, n
			}
			if len(got) > len(want)+12 {
				break
			}
		}
	}
	return 0, 0
}

// letters keeps what two spellings of a title have in common.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// wordy reports whether a line is words rather than numbers and signs.
func wordy(l *pdfLine) bool {
	n, all := 0, 0
	for _, w := range l.words {
		for _, r := range w.text {
			all++
			if unicode.IsLetter(r) {
				n++
			}
		}
	}
	return n >= 3 && n*2 >= all
}

func quarter(size float32) int { return int(size*4 + 0.5) }

// bodySize is the size in which most of the text is.
func bodySize(pages []pdfPage) float32 {
	count := map[int]int{}
	for i := range pages {
		for j := range pages[i].lines {
			count[quarter(pages[i].lines[j].size)] += pages[i].lines[j].chars
		}
	}
	best := 0
	for _, q := range slices.Sorted(maps.Keys(count)) {
		if count[q] > count[best] {
			best = q
		}
	}
	return float32(best) / 4
}

// larger is how much a heading's letters are larger than the text's.
const larger = 1.12

// headingSizes gives levels to the sizes that are larger than the body's and
// rare: the largest is 1, at most four.
func headingSizes(pages []pdfPage, body float32) map[int]int {
	count, all := map[int]int{}, 0
	for i := range pages {
		for j := range pages[i].lines {
			l := &pages[i].lines[j]
			all += l.chars
			if l.size > body*larger {
				count[quarter(l.size)] += l.chars
			}
		}
	}
	levels := map[int]int{}
	sizes := slices.Sorted(maps.Keys(count))
	slices.Reverse(sizes)
	level, last := 0, 0
	for _, q := range sizes {
		if count[q]*5 > all {
			continue
		}
		if level == 0 || last-q > 2 { // half a point apart is the same
			level, last = min(level+1, 4), q
		}
		levels[q] = level
	}
	return levels
}

// tableAt gives how many lines from the first on are rows of a table: at least
// three that have wide gaps at the same places.
func tableAt(lines []pdfLine) int {
	first := lines[0].cells()
	if len(first) < 2 {
		return 0
	}
	n, before := 1, first
	for n < len(lines) {
		l := &lines[n]
		cells := l.cells()
		if len(cells) < 2 || !aligned(before, cells) || before[0].bottom-l.top > 2.5*l.size || l.top > before[0].top {
			break
		}
		n, before = n+1, cells
	}
	if n < 3 && !(n == 2 && len(first) >= 3) {
		return 0
	}
	return n
}

// aligned reports whether most cells of the row with fewer stand below those of
// the other: their left or right edges or middles meet.
func aligned(a, b []pdfLine) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	met := 0
	for _, x := range a {
		for _, y := range b {
			near := 0.5 * max(x.size, 1)
			if abs(x.left-y.left) < near || abs(x.right-y.right) < near || abs(x.left+x.right-y.left-y.right) < 2*near {
				met++
				break
			}
		}
	}
	return met*3 >= len(a)*2 && met >= 2
}

func abs(x float32) float32 { return max(x, -x) }

// table writes rows. A cell stands in the column of the fullest row that it is
// nearest to, so that an empty cell leaves its place.
func (w *pdfWriter) table(lines []pdfLine) {
	rows := make([][]pdfLine, len(lines))
	full := 0
	for i := range lines {
		rows[i] = lines[i].cells()
		if len(rows[i]) > len(rows[full]) {
			full = i
		}
	}
	text := make([][]string, len(rows))
	for i, r := range rows {
		text[i] = place(r, rows[full])
	}
	w.b.endTable()
	for i, cells := range text {
		w.b.row(cells, i == 0 && len(text) > 1 && headerRow(cells, text[1]))
	}
	w.b.endTable()
	w.prev = nil
}

func place(row, columns []pdfLine) []string {
	out := make([]string, len(columns))
	at := 0
	for i, c := range row {
		// Leave room for the cells to come.
		best := at
		for j := at; j <= len(columns)-(len(row)-i); j++ {
			if distance(&c, &columns[j]) < distance(&c, &columns[best]) {
				best = j
			}
		}
		out[best] = c.text()
		at = best + 1
	}
	return out
}

func distance(a, b *pdfLine) float32 {
	return min(abs(a.left-b.left), abs(a.right-b.right), abs(a.left+a.right-b.left-b.right)/2)
}

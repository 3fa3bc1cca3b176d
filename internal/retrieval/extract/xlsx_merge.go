package extract

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"
)

// mergedCells are the cells of a sheet that reach over several rows. Their
// text is told in each of these rows that holds anything, so that a row taken
// alone says all.
type mergedCells struct {
	ranges []mergedRange // by first row
	active []mergedRange // that the row in hand may be in, one per column
}

type mergedRange struct {
	col, first, last int // rows from 1
	text             string
}

const (
	// maxMerged is how many merged cells of a sheet are told in each row.
	maxMerged = 10_000
	// maxActive is how many of them may lie side by side.
	maxActive = 64
)

// readMerged looks for <mergeCells>, which stands behind all rows, by its bytes
// alone: the sheet is not held for it and its XML is read once, later.
func readMerged(a *archive, part string) (mergedCells, error) {
	var m mergedCells
	f, err := a.named[part].Open()
	if err != nil {
		return m, nil // reading the sheet will say why
	}
	defer f.Close()
	packed := int64(a.named[part].CompressedSize64)
	r := io.LimitReader(f, min(a.lim.Expand, freeRatio+packed*a.lim.Ratio))
	const tag, longest = "mergeCell ", 64
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		done := 0
		for {
			i := bytes.Index(buf[done:], []byte(tag))
			if i < 0 || done+i+longest > len(buf) && err == nil {
				break
			}
			done += i + len(tag)
			m.note(string(buf[done:min(done+longest, len(buf))]))
		}
		if err != nil || len(m.ranges) >= maxMerged {
			break
		}
		done = max(done, len(buf)-longest-len(tag))
		buf = append(buf[:0], buf[done:]...)
	}
	slices.SortFunc(m.ranges, func(a, b mergedRange) int { return cmp.Compare(a.first, b.first) })
	return m, nil
}

// note keeps the range of a tag's attributes: ref="B2:B9"/>.
func (m *mergedCells) note(attrs string) {
	_, ref, ok := strings.Cut(attrs, `ref="`)
	ref, _, ended := strings.Cut(ref, `"`)
	from, to, ranged := strings.Cut(ref, ":")
	if !ok || !ended || !ranged {
		return
	}
	col, first, ok1 := cellRef(from)
	_, last, ok2 := cellRef(to)
	if ok1 && ok2 && last > first {
		m.ranges = append(m.ranges, mergedRange{col: col, first: first + 1, last: last + 1})
	}
}

// fill gives the row in hand the texts of merged cells that reach into it.
func (m *mergedCells) fill(r *sheetRows) {
	if len(m.active) > 0 {
		m.active = slices.DeleteFunc(m.active, func(a mergedRange) bool { return a.last < r.row })
	}
	for len(m.ranges) > 0 && m.ranges[0].first <= r.row {
		next := m.ranges[0]
		m.ranges = m.ranges[1:]
		i, ok := slices.BinarySearchFunc(r.cells, next.col, func(c sheetCell, col int) int { return cmp.Compare(c.col, col) })
		if ok && next.first == r.row && len(m.active) < maxActive {
			next.text = r.cells[i].text
			m.active = append(m.active, next)
		}
	}
	if len(r.cells) == 0 {
		return // an empty row stays one
	}
	for _, a := range m.active {
		i, ok := slices.BinarySearchFunc(r.cells, a.col, func(c sheetCell, col int) int { return cmp.Compare(c.col, col) })
		if !ok {
			r.cells = slices.Insert(r.cells, i, sheetCell{a.col, a.text})
		}
	}
}

package extract

import (
	"slices"
	"strconv"
)

// sheetRows turns the rows of a sheet, of whatever format, into text: tables
// with their headers, and the titles above them. Empty rows, columns to the
// left and wide gaps cost nothing.
type sheetRows struct {
	b      *builder
	name   string
	base   int         // the first column that is shown
	row    int         // the number of the row in hand, from 1
	cells  []sheetCell // of it, by rising column
	merged mergedCells

	begun  bool     // a row was written
	held   []string // the row before, kept back until the next is known
	at     int      // its number
	gap    bool     // there were empty rows before it
	open   bool     // a table has begun
	single bool     // and all its rows have one cell: they are titles
}

// sheetCell is a cell that is not empty.
type sheetCell struct {
	col  int
	text string
}

// maxGap is how many empty cells between two others are written. A wider gap
// is written as one.
const maxGap = 32

// set gives a cell of the row in hand; columns come in rising order.
func (r *sheetRows) set(col int, text string) {
	r.cells = append(r.cells, sheetCell{col, text})
}

// add ends the row in hand.
func (r *sheetRows) add() {
	r.merged.fill(r)
	if len(r.cells) == 0 {
		return
	}
	if !r.begun {
		r.begun = true
		r.b.page(r.name)
		r.b.heading(1, r.name)
	}
	cells := r.line()
	r.cells = r.cells[:0]
	r.flush(cells)
	r.held, r.gap, r.at = cells, r.at > 0 && r.row > r.at+1, r.row
}

// line gives the cells in hand with the empty ones between them.
func (r *sheetRows) line() []string {
	r.base = min(r.base, r.cells[0].col)
	var line []string
	next := r.base
	for _, c := range r.cells {
		gap := c.col - next
		if gap > maxGap {
			gap = 1
		}
		for range gap {
			line = append(line, "")
		}
		line = append(line, c.text)
		next = c.col + 1
	}
	return line
}

// flush writes the row that was kept back, now that the one after it is known;
// next is nil at the end.
func (r *sheetRows) flush(next []string) {
	held := r.held
	r.held = nil
	if held == nil {
		return
	}
	alone := filled(held) == 1
	switch {
	case !r.open, r.single && !alone:
		r.begin(held, sheetHeader(held, next))
	case r.gap && alone && filled(next) > 1:
		r.begin(held, false) // a title above another table
	case r.gap && sheetHeader(held, next) && anyNumber(next):
		r.begin(held, true)
	default:
		r.single = r.single && alone
		r.b.row(held, false)
	}
}

// begin begins a table.
func (r *sheetRows) begin(cells []string, header bool) {
	r.b.endTable()
	r.open, r.single = true, filled(cells) == 1
	r.b.row(cells, header)
}

// end writes what is kept back.
func (r *sheetRows) end() {
	r.flush(nil)
	r.b.endTable()
}

// filled counts the cells that are not empty.
func filled(cells []string) int {
	n := 0
	for _, c := range cells {
		if c != "" {
			n++
		}
	}
	return n
}

// sheetHeader is headerRow for sheets, where a few columns may have no name.
func sheetHeader(first, second []string) bool {
	if n := filled(first); n < 2 || n*3 < len(first)*2 {
		return false
	}
	named := slices.Clone(first)
	for i := range named {
		if named[i] == "" {
			named[i] = "column " + strconv.Itoa(i)
		}
	}
	return headerRow(named, second)
}

func anyNumber(cells []string) bool {
	for _, c := range cells {
		if number(c) {
			return true
		}
	}
	return false
}

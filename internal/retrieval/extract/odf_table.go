package extract

import (
	"encoding/xml"
	"strconv"
	"strings"
	"time"
)

// table reads a <table:table> of a text or a slide.
func (o *odf) table(p *xmlPart) error {
	t := tableRows{b: o.b}
	err := p.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "table-header-rows":
			t.header = t.rows == 0
		case "soft-page-break":
			o.breaks = true
			o.page()
		case "table-row":
			cells, err := o.tableRow(p, t.last)
			t.add(cells)
			if err == nil {
				err = o.b.err
			}
			return err
		}
		return nil
	})
	t.end()
	return err
}

// tableRow reads the cells of a row; those merged with the row above have its
// text.
func (o *odf) tableRow(p *xmlPart, above []string) (cells []string, err error) {
	err = p.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "table-cell":
			s, err := o.flat(p)
			for range min(repeated(e, "number-columns-repeated"), maxColumns-len(cells)) {
				cells = append(cells, oneLine(s))
			}
			return err
		case "covered-table-cell":
			for range min(repeated(e, "number-columns-repeated"), maxColumns-len(cells)) {
				s := ""
				if i := len(cells); i < len(above) && (i == 0 || cells[i-1] == above[i-1]) {
					s = above[i]
				}
				cells = append(cells, s)
			}
			return p.Skip()
		}
		return nil
	})
	return cells, err
}

// repeated reads an attribute that says how often something stands there.
func repeated(e xml.StartElement, name string) int {
	n, err := strconv.Atoi(attr(e, name))
	if err != nil || n < 1 {
		return 1
	}
	return min(n, sheetRowsMax)
}

// tableRows appends the rows of a table whose header shows itself only with
// the second row.
type tableRows struct {
	b      *builder
	header bool // the first row is said to be a header
	rows   int
	first  []string
	last   []string
}

func (t *tableRows) add(cells []string) {
	if filled(cells) == 0 {
		return
	}
	t.rows++
	t.last = cells
	switch t.rows {
	case 1:
		t.b.endTable()
		t.first = cells
		return
	case 2:
		t.b.row(t.first, t.header || headerRow(t.first, cells))
	}
	t.b.row(cells, false)
}

func (t *tableRows) end() {
	if t.rows == 1 {
		t.b.row(t.first, false)
	}
	t.b.endTable()
}

// sheets reads the tables of a spreadsheet.
func (o *odf) sheets(p *xmlPart) error {
	n := 0
	return p.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "tracked-changes", "named-expressions", "database-ranges", "data-pilot-tables":
			return p.Skip()
		case "table":
			if n++; n > o.lim.Sheets {
				return overLimit("sheets", "This spreadsheet has more than %d sheets, which is the limit.", o.lim.Sheets)
			}
			o.in.progress(n-1, n)
			return o.sheet(p, attr(e, "name"))
		}
		return nil
	})
}

// sheet reads a sheet as a stream of rows. Rows and columns may claim to be
// repeated a million times: empty ones cost nothing, others count as so many
// cells.
func (o *odf) sheet(p *xmlPart, name string) error {
	rows := &sheetRows{b: o.b, name: oneLine(name)}
	err := p.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "shapes", "forms", "annotation":
			return p.Skip()
		case "table-row":
			if err := o.ctx.Err(); err != nil {
				return err
			}
			times := repeated(e, "number-rows-repeated")
			if err := o.sheetRow(p, rows); err != nil {
				return err
			}
			return o.repeatRow(rows, times)
		}
		return nil
	})
	rows.end()
	return err
}

// repeatRow adds the row in hand so many times.
func (o *odf) repeatRow(rows *sheetRows, times int) error {
	if len(rows.cells) == 0 {
		rows.row += times
		return nil
	}
	if times > 1 && o.cells/times < len(rows.cells) {
		return o.tooManyCells()
	}
	o.cells -= (times - 1) * len(rows.cells)
	cells := append([]sheetCell(nil), rows.cells...)
	for range times {
		rows.row++
		rows.cells = append(rows.cells[:0], cells...)
		rows.add()
		if o.b.err != nil {
			return o.b.err
		}
	}
	return nil
}

func (o *odf) tooManyCells() error {
	return overLimit("cells", "This spreadsheet has more than %d cells, which is the limit. Split it into smaller ones.", o.lim.Cells)
}

// sheetRow reads the cells of a row.
func (o *odf) sheetRow(p *xmlPart, rows *sheetRows) error {
	col := 0
	return p.children(func(e xml.StartElement) error {
		if e.Name.Local != "table-cell" && e.Name.Local != "covered-table-cell" {
			return nil
		}
		times := min(repeated(e, "number-columns-repeated"), sheetColumns)
		text, err := o.cell(p, e)
		if err != nil {
			return err
		}
		if o.cells--; o.cells < 0 {
			return o.tooManyCells()
		}
		if text == "" || e.Name.Local == "covered-table-cell" {
			col = min(col+times, sheetColumns)
			return nil
		}
		if o.cells -= times - 1; o.cells < 0 {
			return o.tooManyCells()
		}
		if down := repeated(e, "number-rows-spanned"); down > 1 && len(rows.merged.active) < maxActive {
			rows.merged.active = append(rows.merged.active, mergedRange{col: col, first: rows.row + 1, last: rows.row + down, text: text})
		}
		for ; times > 0 && col < sheetColumns; times-- {
			rows.set(col, text)
			col++
		}
		return nil
	})
}

// cell gives a cell's value: dates and numbers as they are stored, other text
// as it is shown.
func (o *odf) cell(p *xmlPart, e xml.StartElement) (string, error) {
	shown, err := o.flat(p)
	if err != nil {
		return "", err
	}
	switch value := attr(e, "value"); attr(e, "value-type") {
	case "float":
		if value != "" {
			return plainNumber.number(value, false), nil
		}
	case "percentage":
		if value != "" {
			return percentNumber.number(value, false), nil
		}
	case "date":
		if s := attr(e, "date-value"); len(s) <= 32 && s != "" {
			if t, err := time.Parse("2006-01-02T15:04:05", s); err == nil {
				return dateTimeNumber.date(t, 1), nil
			}
			return s, nil
		}
	}
	return oneLine(strings.TrimSpace(shown)), nil
}

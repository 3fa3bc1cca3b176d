package extract

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// maxColumns is how many columns of a table of text are told apart.
const maxColumns = 1024

// docxTable is a table in the making.
type docxTable struct {
	first   []string // the first row, kept back until it is known what it is
	pages   int      // that ended in it
	rows    int
	header  bool     // the first row is said to be a header
	columns []string // the cells of the row above, for those merged with it
}

// table reads <w:tbl> to its end and appends its rows.
func (d *docx) table(p *xmlPart) error {
	d.b.endTable()
	var t docxTable
	err := p.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "tblPr":
			return p.children(func(e xml.StartElement) error {
				if e.Name.Local == "tblLook" {
					look, _ := strconv.ParseUint(attr(e, "val"), 16, 32)
					t.header = look&0x20 != 0 && attr(e, "firstRow") != "0" || attr(e, "firstRow") == "1"
				}
				return nil
			})
		case "tr":
			return d.tableRow(p, &t)
		case "del", "moveFrom", "Fallback":
			return p.Skip()
		}
		return nil
	})
	if t.rows == 1 { // there was no second row to look at
		d.pagesBefore(t.pages)
		d.b.row(t.first, false)
	}
	d.b.endTable()
	return err
}

func (d *docx) tableRow(p *xmlPart, t *docxTable) error {
	var cells []string
	pages, header, deleted := 0, false, false
	err := p.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "trPr":
			return p.children(func(e xml.StartElement) error {
				header = header || e.Name.Local == "tblHeader" && on(e)
				deleted = deleted || e.Name.Local == "del"
				return nil
			})
		case "tc":
			var n int
			var err error
			cells, n, err = d.cell(p, cells, t.columns)
			pages = max(pages, n)
			return err
		case "del", "moveFrom", "Fallback":
			return p.Skip()
		}
		return nil
	})
	if err != nil || deleted {
		return err
	}
	t.columns = append(t.columns[:0], cells...)
	t.rows++
	switch t.rows {
	case 1:
		t.first, t.pages, t.header = cells, pages, t.header || header
		return d.b.err
	case 2:
		d.pagesBefore(t.pages)
		d.b.row(t.first, t.header || headerRow(t.first, cells))
	}
	d.pagesBefore(pages)
	d.b.row(cells, false)
	return d.b.err
}

// pagesBefore begins the pages that the row to be appended goes over to.
func (d *docx) pagesBefore(n int) {
	for range n {
		d.breaks = true
		d.page()
	}
}

// cell reads <w:tc> and appends it to a row whose row above is given. A cell
// over many columns is followed by empty ones, one that is merged with the cell
// above has its text, so that each line tells all.
func (d *docx) cell(p *xmlPart, cells, above []string) (_ []string, pages int, err error) {
	span, merged, sub := 1, false, d.sub()
	err = p.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "tcPr":
			return nil
		case "gridSpan":
			span, _ = strconv.Atoi(attr(e, "val"))
			return nil
		case "vMerge":
			merged = attr(e, "val") != "restart"
			return nil
		}
		return sub.block(p, e)
	})
	if err != nil {
		return nil, 0, err
	}
	text := sub.text()
	if merged && len(cells) < len(above) {
		text = above[len(cells)]
	}
	cells = append(cells, oneLine(text))
	for ; span > 1 && len(cells) < maxColumns; span-- {
		cells = append(cells, "")
	}
	return cells, sub.pages, nil
}

// acrossPages appends a paragraph within which pages begin, at breaks of its
// text; page notes that one does.
func (b *builder) acrossPages(marker, text string, breaks []int, level int, page func()) {
	b.blank()
	start := b.len()
	b.write(marker)
	last := 0
	for _, at := range breaks {
		piece := text[last:at]
		if last == 0 {
			piece = strings.TrimLeft(piece, " \t\n")
		}
		b.write(piece)
		page()
		last = at
	}
	b.write(strings.TrimRight(text[last:], " \t\n"))
	if level > 0 {
		b.markHeading(level, start, b.len())
	}
	b.blank()
}

package extract

import (
	"context"
	"encoding/xml"
	"strconv"
	"strings"

	"portico/internal/retrieval/document"
)

// xlsx reads one SpreadsheetML workbook (ECMA-376 part 1, 18). Sheets are
// read as streams, a row at a time, and what is empty costs nothing: memory
// goes with the text that is there, not with the corners of a sheet.
type xlsx struct {
	ctx     context.Context
	a       *archive
	b       *builder
	shared  sharedStrings
	formats []cellFormat // by the cells' style
	epoch   bool         // dates count from 1904
	left    int          // cells that may still come
	most    int
}

func readXLSX(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	b := newBuilder(lim)
	a, main, rels, err := openOffice(in, lim, "Excel workbook", b)
	if err != nil {
		return nil, err
	}
	x := &xlsx{ctx: ctx, a: a, b: b, left: lim.Cells, most: lim.Cells}
	sheets, err := x.workbook(main, rels)
	if err != nil {
		return nil, err
	}
	if len(sheets) > lim.Sheets {
		return nil, overLimit("sheets", "This workbook has %d sheets; at most %d are read.", len(sheets), lim.Sheets)
	}
	if part := ofKind(rels, "styles"); a.has(part) {
		if x.formats, err = readCellFormats(a, part); isLimit(err) {
			return nil, err
		} else if err != nil {
			b.warn("The formats of this workbook are damaged: dates are read as numbers.")
		}
	}
	if part := ofKind(rels, "sharedStrings"); a.has(part) {
		if x.shared, err = readSharedStrings(a, part, lim); err != nil {
			return nil, err
		}
	}
	for i, s := range sheets {
		in.progress(i, len(sheets))
		if err := x.sheet(s); err != nil {
			if isLimit(err) || ctx.Err() != nil {
				return nil, err
			}
			b.warn("The sheet “" + s.name + "” is damaged; what comes after its first rows was not read.")
		}
	}
	in.progress(len(sheets), len(sheets))
	return b.done()
}

// xlsxSheet is a sheet of the workbook in its order.
type xlsxSheet struct{ name, part string }

func (x *xlsx) workbook(main string, rels []relation) ([]xlsxSheet, error) {
	var sheets []xlsxSheet
	worksheets := map[string]string{}
	for _, r := range rels {
		if r.kind == "worksheet" {
			worksheets[r.id] = r.target
		}
	}
	err := x.a.elements(main, func(_ *xmlPart, e xml.StartElement) error {
		switch e.Name.Local {
		case "workbookPr":
			x.epoch = attr(e, "date1904") == "1" || attr(e, "date1904") == "true"
		case "sheet":
			if part := worksheets[relAttr(e, "id")]; x.a.has(part) {
				sheets = append(sheets, xlsxSheet{oneLine(attr(e, "name")), part})
			}
		}
		return nil
	})
	return sheets, err
}

// sharedStrings are the texts of a workbook that cells refer to by number.
type sharedStrings struct {
	all  string
	ends []uint32
}

func (s *sharedStrings) at(i int) string {
	if i < 0 || i >= len(s.ends) {
		return ""
	}
	start := uint32(0)
	if i > 0 {
		start = s.ends[i-1]
	}
	return s.all[start:s.ends[i]]
}

// readSharedStrings reads the texts, as much as may come out of the file.
func readSharedStrings(a *archive, part string, lim *Limits) (sharedStrings, error) {
	var s sharedStrings
	var all strings.Builder
	most := min(lim.Text, 1<<31)
	err := a.elements(part, func(p *xmlPart, e xml.StartElement) error {
		if e.Name.Local != "si" {
			return nil
		}
		err := richText(p, &all)
		if int64(all.Len()) > most {
			return overLimit("text", "This workbook holds more than %d MiB of text, which is the limit.", most>>20)
		}
		if len(s.ends) >= lim.Cells {
			return overLimit("cells", "This workbook has more than %d texts, which is the limit.", lim.Cells)
		}
		s.ends = append(s.ends, uint32(all.Len()))
		return err
	})
	s.all = all.String()
	return s, err
}

// richText appends the text of <si> or <is>: its runs, without what says how
// to pronounce them.
func richText(p *xmlPart, to *strings.Builder) error {
	return p.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "rPh":
			return p.Skip()
		case "t":
			s, err := p.text()
			to.WriteString(s)
			return err
		}
		return nil
	})
}

// sheet reads one sheet.
func (x *xlsx) sheet(s xlsxSheet) error {
	merged, err := readMerged(x.a, s.part)
	if err != nil {
		return err
	}
	rows := &sheetRows{b: x.b, name: s.name, merged: merged}
	err = x.a.elements(s.part, func(p *xmlPart, e xml.StartElement) error {
		switch e.Name.Local {
		case "dimension":
			first, _, _ := strings.Cut(attr(e, "ref"), ":")
			if col, _, ok := cellRef(first); ok {
				rows.base = col
			}
		case "row":
			if err := x.ctx.Err(); err != nil {
				return err
			}
			if n, err := strconv.Atoi(attr(e, "r")); err == nil && n > rows.row {
				rows.row = n
			} else {
				rows.row++
			}
			if err := x.row(p, rows); err != nil {
				return err
			}
			rows.add()
			return x.b.err
		}
		return nil
	})
	rows.end()
	return err
}

// row reads the cells of <row>.
func (x *xlsx) row(p *xmlPart, rows *sheetRows) error {
	col := -1
	return p.children(func(e xml.StartElement) error {
		if e.Name.Local != "c" {
			return nil
		}
		if x.left--; x.left < 0 {
			return overLimit("cells", "This workbook has more than %d cells, which is the limit. Split it into smaller ones.", x.most)
		}
		if c, _, ok := cellRef(attr(e, "r")); ok && c > col {
			col = c
		} else {
			col++
		}
		text, err := x.cell(p, e)
		if text != "" && col < sheetColumns {
			rows.set(col, text)
		}
		return err
	})
}

// cell reads <c> and gives its value as people see it.
func (x *xlsx) cell(p *xmlPart, c xml.StartElement) (string, error) {
	var value string
	formula := false
	kind, style := attr(c, "t"), 0
	if s := attr(c, "s"); s != "" {
		style, _ = strconv.Atoi(s)
	}
	err := p.children(func(e xml.StartElement) (err error) {
		switch e.Name.Local {
		case "v":
			value, err = p.text()
		case "is":
			var b strings.Builder
			err = richText(p, &b)
			value = b.String()
		case "f":
			formula = true
			err = p.Skip()
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if formula && value == "" && kind != "str" {
		x.b.warn("Some formulas of this workbook have no stored results. Open it in its program, save it and upload it again.")
	}
	switch kind {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil {
			i = -1
		}
		return oneLine(x.shared.at(i)), nil
	case "b":
		if value == "1" {
			return "TRUE", nil
		}
		return "FALSE", nil
	case "e": // #N/A and its like say nothing
		return "", nil
	case "str", "inlineStr", "d":
		return oneLine(value), nil
	}
	format := plainNumber
	if style >= 0 && style < len(x.formats) {
		format = x.formats[style]
	}
	return format.number(value, x.epoch), nil
}

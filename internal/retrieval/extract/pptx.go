package extract

import (
	"context"
	"encoding/xml"
	"strconv"
	"strings"

	"portico/internal/retrieval/document"
)

// pptx reads one PresentationML deck (ECMA-376 part 1, 19).
type pptx struct {
	a *archive
	b *builder
}

func readPPTX(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	b := newBuilder(lim)
	a, main, rels, err := openOffice(in, lim, "PowerPoint presentation", b)
	if err != nil {
		return nil, err
	}
	var slides []string
	err = a.elements(main, func(_ *xmlPart, e xml.StartElement) error {
		if e.Name.Local == "sldId" {
			if part := byID(rels, relAttr(e, "id")); a.has(part) {
				slides = append(slides, part)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(slides) > lim.Slides {
		return nil, overLimit("slides", "This presentation has %d slides; at most %d are read.", len(slides), lim.Slides)
	}
	x := &pptx{a: a, b: b}
	for i, part := range slides {
		in.progress(i, len(slides))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		label := "slide " + strconv.Itoa(i+1)
		b.page(label)
		if err := x.slide(part, label); isLimit(err) {
			return nil, err
		} else if err != nil {
			b.warn("A part of " + label + " is damaged and was not read.")
		}
		if b.err != nil {
			return nil, b.err
		}
	}
	in.progress(len(slides), len(slides))
	return b.done()
}

// shape is what stands on a slide.
type shape struct {
	kind  string // of placeholder: "title", "body", "sldNum", … or ""
	lines []string
	rows  [][]string // of a table
}

// slide reads a slide: its title first, wherever it stands, then the rest in
// order, then what its notes say.
func (x *pptx) slide(part, label string) error {
	shapes, err := x.shapes(part)
	title := -1
	for i, s := range shapes {
		if title < 0 && (s.kind == "title" || s.kind == "ctrTitle") && len(s.lines) > 0 {
			title = i
			x.b.heading(1, strings.Join(s.lines, " "))
		}
	}
	if title < 0 {
		x.b.heading(1, strings.ToUpper(label[:1])+label[1:])
	}
	for i, s := range shapes {
		if i != title {
			x.shape(s)
		}
	}
	if err != nil {
		return err
	}
	rels, err := x.a.relations(part)
	if err != nil {
		return err
	}
	notes := ofKind(rels, "notesSlide")
	if !x.a.has(notes) {
		return nil
	}
	shapes, err = x.shapes(notes)
	for _, s := range shapes {
		if s.kind == "body" && len(s.lines) > 0 {
			x.b.paragraph("Notes: " + strings.Join(s.lines, "\n"))
		}
	}
	return err
}

// shape appends a shape, unless it only repeats what is on all slides.
func (x *pptx) shape(s shape) {
	switch s.kind {
	case "sldNum", "dt", "ftr", "hdr", "sldImg":
		return
	}
	x.b.paragraph(strings.Join(s.lines, "\n"))
	for i, row := range s.rows {
		x.b.row(row, i == 0 && len(s.rows) > 1 && headerRow(row, s.rows[1]))
	}
	x.b.endTable()
}

// shapes reads the shapes of a part; with an error come those before it.
func (x *pptx) shapes(part string) ([]shape, error) {
	var all []shape
	size := 0
	err := x.a.elements(part, func(p *xmlPart, e xml.StartElement) error {
		switch e.Name.Local {
		case "Fallback":
			return p.Skip()
		case "sp", "cxnSp":
			all = append(all, shape{})
		case "tbl":
			rows, err := x.table(p)
			all = append(all, shape{rows: rows})
			return err
		case "ph":
			if len(all) > 0 {
				all[len(all)-1].kind = attr(e, "type")
			}
		case "p":
			line, err := drawnParagraph(p)
			if line == "" || err != nil {
				return err
			}
			if size += len(line); size > maxToken {
				return overLimit("memory", "This presentation has a slide of more than %d MiB, which is the limit.", maxToken>>20)
			}
			if len(all) == 0 || all[len(all)-1].rows != nil {
				all = append(all, shape{})
			}
			last := &all[len(all)-1]
			last.lines = append(last.lines, line)
		}
		return nil
	})
	return all, err
}

// drawnParagraph reads <a:p>: its text, bullets of inner levels indented.
func drawnParagraph(p *xmlPart) (string, error) {
	var b strings.Builder
	level := 0
	err := p.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "t":
			s, err := p.text()
			b.WriteString(s)
			return err
		case "br":
			b.WriteByte(' ')
		case "pPr":
			level, _ = strconv.Atoi(attr(e, "lvl"))
		case "Fallback":
			return p.Skip()
		}
		return nil
	})
	text := oneLine(b.String())
	if text == "" || level < 1 || level > 8 {
		return text, err
	}
	return strings.Repeat("  ", level) + "- " + text, err
}

// table reads <a:tbl>.
func (x *pptx) table(p *xmlPart) ([][]string, error) {
	var rows [][]string
	size := 0
	err := p.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "tr":
			rows = append(rows, nil)
		case "tc":
			if len(rows) == 0 {
				return nil
			}
			var lines []string
			err := p.children(func(e xml.StartElement) error {
				if e.Name.Local != "p" {
					return nil
				}
				line, err := drawnParagraph(p)
				if size += len(line) + 1; size > maxToken {
					return overLimit("memory", "This presentation has a table of more than %d MiB, which is the limit.", maxToken>>20)
				}
				lines = append(lines, line)
				return err
			})
			row := &rows[len(rows)-1]
			*row = append(*row, oneLine(strings.Join(lines, " ")))
			// A cell merged with the one above tells its text again.
			if i := len(*row) - 1; attr(e, "vMerge") == "1" && len(rows) > 1 && i < len(rows[len(rows)-2]) {
				(*row)[i] = rows[len(rows)-2][i]
			}
			return err
		}
		return nil
	})
	return rows, err
}

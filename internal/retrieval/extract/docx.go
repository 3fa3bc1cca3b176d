package extract

import (
	"context"
	"encoding/xml"
	"strconv"
	"strings"

	"portico/internal/retrieval/document"
)

// docx reads one WordprocessingML document (ECMA-376 part 1, 17). Elements are
// known by their local names, so that the strict and the transitional form
// read alike.
type docx struct {
	ctx    context.Context
	a      *archive
	b      *builder
	styles map[string]*docxStyle
	lists  *docxLists
	notes  map[string]string // "footnote:3" → its text
	noted  *int              // how many notes were referred to
	breaks bool              // rendered page breaks are recorded
	pages  int
}

func readDOCX(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	b := newBuilder(lim)
	a, main, rels, err := openOffice(in, lim, "Word document", b)
	if err != nil {
		return nil, err
	}
	d := &docx{ctx: ctx, a: a, b: b, lists: &docxLists{}, notes: map[string]string{}, noted: new(int)}
	if err := d.prepare(rels); err != nil {
		return nil, err
	}
	if err := d.margins(rels, "header"); err != nil {
		return nil, err
	}
	d.page()
	if err := a.elements(main, d.block); err != nil {
		return nil, err
	}
	if b.doc.Pages[0].Start = 0; !d.breaks {
		b.doc.Pages = nil
	}
	if err := d.margins(rels, "footer"); err != nil {
		return nil, err
	}
	return b.done()
}

// prepare reads the parts that the body refers to. One that is damaged costs
// what it would have told, no more.
func (d *docx) prepare(rels []relation) error {
	for _, r := range rels {
		if !d.a.has(r.target) {
			continue
		}
		var err error
		switch r.kind {
		case "styles":
			d.styles, err = readDocxStyles(d.a, r.target)
		case "numbering":
			d.lists, err = readDocxLists(d.a, r.target)
		case "footnotes", "endnotes":
			err = d.readNotes(r.target, strings.TrimSuffix(r.kind, "s"))
		}
		if isLimit(err) {
			return err
		}
		if err != nil {
			d.b.warn("The " + r.kind + " of this document are damaged and were not read.")
		}
	}
	return nil
}

// readNotes keeps the text of foot- or endnotes by their id.
func (d *docx) readNotes(part, kind string) error {
	return d.a.elements(part, func(p *xmlPart, e xml.StartElement) error {
		if e.Name.Local != kind {
			return nil
		}
		id, special := attr(e, "id"), attr(e, "type") // separators have a type
		s, err := d.flat(p)
		if special == "" || special == "normal" {
			d.notes[kind+":"+id] = oneLine(s)
		}
		return err
	})
}

// margins appends the texts of all headers or all footers, each text once.
func (d *docx) margins(rels []relation, kind string) error {
	seen := map[string]bool{"": true}
	for _, r := range rels {
		if r.kind != kind || !d.a.has(r.target) {
			continue
		}
		sub := d.sub()
		err := d.a.elements(r.target, sub.block)
		switch {
		case isLimit(err):
			return err
		case err != nil:
			d.b.warn("A " + kind + " of this document is damaged and was not read.")
		}
		if s := oneLine(sub.text()); !seen[s] {
			seen[s] = true
			d.b.paragraph(s)
		}
	}
	return nil
}

// sub gives a reader of the same document with a text of its own.
func (d *docx) sub() *docx {
	return &docx{
		ctx: d.ctx, a: d.a, styles: d.styles, lists: d.lists, notes: d.notes, noted: d.noted,
		b: &builder{most: d.b.most - int64(d.b.len()), table: -1},
	}
}

// text is what was read so far.
func (d *docx) text() string { return string(d.b.text) }

// flat gives the text of the element begun last. Paragraphs are lines.
func (d *docx) flat(p *xmlPart) (string, error) {
	sub := d.sub()
	err := p.children(func(e xml.StartElement) error { return sub.block(p, e) })
	return sub.text(), err
}

// page begins the next page.
func (d *docx) page() {
	d.pages++
	d.b.doc.Pages = append(d.b.doc.Pages, document.Page{Start: d.b.len(), Label: strconv.Itoa(d.pages)})
}

// block reads a paragraph or a table; of other elements what is in them comes
// next.
func (d *docx) block(p *xmlPart, e xml.StartElement) (err error) {
	switch {
	case docxUnseen(e):
		err = p.Skip()
	case e.Name.Local == "p":
		err = d.paragraph(p)
	case e.Name.Local == "tbl":
		err = d.table(p)
	}
	if err == nil {
		err = d.b.err
	}
	if err == nil {
		err = d.ctx.Err()
	}
	return err
}

// docxUnseen reports whether an element holds what a reader of the document
// does not see: deleted text, settings, the second form of a drawing.
func docxUnseen(e xml.StartElement) bool {
	switch e.Name.Local {
	case "del", "moveFrom", "delText", "instrText", "delInstrText", "Fallback",
		"sectPr", "sdtPr", "sdtEndPr", "tblPr", "tblGrid", "rt", "binData", "pict-data", "bookmarkStart", "annotation":
		return true
	}
	return false
}

// docxParagraph is a paragraph in the making.
type docxParagraph struct {
	text   strings.Builder
	breaks []int // where in text pages begin
	style  string
	level  int // of outline, from 1; 0 is none, -1 is said to be none
	num    docxNumber
	boxes  []string // text boxes anchored in it
	notes  []string
}

// paragraph reads a paragraph to its end and appends it.
func (d *docx) paragraph(p *xmlPart) error {
	var w docxParagraph
	if err := p.children(func(e xml.StartElement) error { return d.inParagraph(p, e, &w) }); err != nil {
		return err
	}
	text := w.text.String()
	marker := ""
	if strings.TrimSpace(text) != "" {
		marker = d.marker(&w)
	}
	level := d.level(&w)
	if len(w.breaks) == 0 {
		text = strings.TrimSpace(text)
		switch {
		case level > 0:
			d.b.heading(level, marker+text)
		case marker != "":
			d.b.line()
			d.b.write(marker + text + "\n")
		default:
			d.b.paragraph(text)
		}
	} else {
		d.b.acrossPages(marker, text, w.breaks, level, d.page)
	}
	for _, box := range w.boxes {
		d.b.paragraph(box)
	}
	for _, note := range w.notes {
		d.b.paragraph(note)
	}
	return nil
}

// level is the level of heading that a paragraph has, 0 for none.
func (d *docx) level(w *docxParagraph) int {
	if w.level != 0 {
		return max(w.level, 0)
	}
	for style, i := d.styles[w.style], 0; style != nil && i < maxStyles; style, i = d.styles[style.base], i+1 {
		if style.level != 0 {
			return max(style.level, 0)
		}
	}
	return 0
}

// marker is what stands before a paragraph of a list, "" where it is in none.
func (d *docx) marker(w *docxParagraph) string {
	num := w.num
	for style, i := d.styles[w.style], 0; num.id == "" && style != nil && i < maxStyles; style, i = d.styles[style.base], i+1 {
		if num.id = style.num.id; num.level == 0 {
			num.level = style.num.level
		}
	}
	return d.lists.next(num)
}

// inParagraph reads one element below a paragraph; of those that it does not
// know, such as links, what is in them comes next.
func (d *docx) inParagraph(p *xmlPart, e xml.StartElement, w *docxParagraph) error {
	if docxUnseen(e) {
		return p.Skip()
	}
	switch e.Name.Local {
	case "pPr":
		return d.properties(p, w)
	case "r":
		return d.run(p, w)
	case "t": // of formulas
		s, err := p.text()
		w.text.WriteString(s)
		return err
	}
	return nil
}

// run reads <w:r>, unless it is hidden.
func (d *docx) run(p *xmlPart, w *docxParagraph) error {
	hidden := false
	return p.children(func(e xml.StartElement) (err error) {
		switch {
		case e.Name.Local == "rPr":
			hidden, err = docxHidden(p)
			return err
		case hidden || docxUnseen(e):
			return p.Skip()
		case w.text.Len() > maxToken:
			return overLimit("memory", "This document has a paragraph of more than %d MiB, which is the limit.", maxToken>>20)
		}
		return d.inRun(p, e, w)
	})
}

// inRun reads one element of a run.
func (d *docx) inRun(p *xmlPart, e xml.StartElement, w *docxParagraph) error {
	switch e.Name.Local {
	case "t":
		s, err := p.text()
		w.text.WriteString(s)
		return err
	case "tab", "ptab":
		w.text.WriteByte('\t')
	case "cr":
		w.text.WriteByte('\n')
	case "br":
		if attr(e, "type") != "page" {
			w.text.WriteByte('\n')
		}
	case "noBreakHyphen":
		w.text.WriteByte('-')
	case "lastRenderedPageBreak":
		d.breaks = true
		w.breaks = append(w.breaks, w.text.Len())
	case "footnoteReference", "endnoteReference":
		kind, _ := strings.CutSuffix(e.Name.Local, "Reference")
		if note := d.notes[kind+":"+attr(e, "id")]; note != "" {
			*d.noted++
			mark := "[" + strconv.Itoa(*d.noted) + "]"
			w.text.WriteString(mark)
			w.notes = append(w.notes, mark+" "+note)
		}
	case "txbxContent":
		s, err := d.flat(p)
		w.boxes = append(w.boxes, strings.TrimSpace(s))
		return err
	}
	return nil
}

// properties reads <w:pPr>.
func (d *docx) properties(p *xmlPart, w *docxParagraph) error {
	return p.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "pStyle":
			w.style = attr(e, "val")
		case "outlineLvl":
			w.level = outlineLevel(e)
		case "ilvl":
			w.num.level, _ = strconv.Atoi(attr(e, "val"))
		case "numId":
			w.num.id = attr(e, "val")
		case "rPr", "sectPr", "pPrChange":
			return p.Skip()
		}
		return nil
	})
}

// docxHidden reads <w:rPr> and reports whether it hides its run.
func docxHidden(p *xmlPart) (hidden bool, err error) {
	err = p.children(func(e xml.StartElement) error {
		if e.Name.Local == "vanish" {
			hidden = on(e)
		}
		if e.Name.Local == "rPrChange" {
			return p.Skip()
		}
		return nil
	})
	return hidden, err
}

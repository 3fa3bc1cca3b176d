package extract

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// slides reads the pages of a presentation or a drawing.
func (o *odf) slides(p *xmlPart) error {
	n := 0
	return p.children(func(e xml.StartElement) error {
		if e.Name.Local != "page" {
			return nil
		}
		if n++; n > o.lim.Slides {
			return overLimit("slides", "This presentation has more than %d slides, which is the limit.", o.lim.Slides)
		}
		o.in.progress(n-1, n)
		return o.slide(p, n)
	})
}

// slide reads a page: its title first, then the other frames in order, then
// its notes.
func (o *odf) slide(p *xmlPart, n int) error {
	label := "slide " + strconv.Itoa(n)
	title, notes := "", ""
	o.b.page(label)
	outer := o.b
	o.b = &builder{most: outer.most - int64(outer.len()), table: -1}
	err := p.children(func(e xml.StartElement) (err error) {
		class := attr(e, "class")
		switch {
		case e.Name.Local == "notes":
			notes, err = o.slideNotes(p)
			return err
		case e.Name.Local == "frame" && class == "title" && title == "":
			title, err = o.flat(p)
			return err
		case e.Name.Local == "frame" && (class == "date-time" || class == "footer" || class == "page-number" || class == "header"):
			return p.Skip()
		}
		return o.block(p, e)
	})
	rest := o.b
	o.b = outer
	if title = oneLine(title); title == "" {
		title = "Slide " + strconv.Itoa(n)
	}
	o.b.heading(1, title)
	if err != nil {
		return err
	}
	d, err := rest.done()
	if err != nil {
		return err
	}
	o.b.add(d)
	if notes != "" {
		o.b.paragraph("Notes: " + notes)
	}
	return o.b.err
}

// slideNotes reads <presentation:notes> without the picture of the slide and
// what is on all pages.
func (o *odf) slideNotes(p *xmlPart) (string, error) {
	var notes []string
	err := p.children(func(e xml.StartElement) error {
		if e.Name.Local != "frame" {
			return nil
		}
		if attr(e, "class") != "notes" {
			return p.Skip()
		}
		s, err := o.flat(p)
		if s = strings.TrimSpace(s); s != "" {
			notes = append(notes, s)
		}
		return err
	})
	return strings.Join(notes, "\n"), err
}

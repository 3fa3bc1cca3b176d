package extract

import (
	"context"
	"encoding/xml"
	"errors"
	"slices"
	"strconv"
	"strings"

	"portico/internal/retrieval/document"
)

// odf reads one OpenDocument file (ISO/IEC 26300): text, a spreadsheet or a
// presentation.
type odf struct {
	ctx      context.Context
	a        *archive
	b        *builder
	lim      *Limits
	in       *Input
	numbered map[string]bool // "style level" of lists that count
	margins  []string        // the texts of headers and footers
	breaks   bool
	pages    int
	depth    int // of lists
	cells    int // of spreadsheets that may still come
}

// maxMargins is how many different headers and footers are kept.
const maxMargins = 100

func readODF(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	a, err := openArchive(in, lim, "OpenDocument file")
	if err != nil {
		return nil, err
	}
	o := &odf{ctx: ctx, a: a, b: newBuilder(lim), lim: lim, in: in, numbered: map[string]bool{}, cells: lim.Cells}
	if err := o.around(); err != nil {
		return nil, err
	}
	err = a.elements("content.xml", func(p *xmlPart, e xml.StartElement) error {
		switch e.Name.Local {
		case "list-style":
			return o.listStyle(p, e)
		case "text":
			return o.body(p)
		case "spreadsheet":
			return o.sheets(p)
		case "presentation", "drawing":
			return o.slides(p)
		case "font-face-decls", "scripts":
			return p.Skip()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return o.b.done()
}

// around reads what stands beside the content: whether it is encrypted, the
// title, the lists' looks, headers and footers.
func (o *odf) around() error {
	if o.a.has("META-INF/manifest.xml") {
		err := o.a.elements("META-INF/manifest.xml", func(_ *xmlPart, e xml.StartElement) error {
			if e.Name.Local == "encryption-data" {
				return &Error{Code: "encrypted", Detail: "This file is protected by a password. Save it without one and upload it again."}
			}
			return nil
		})
		var e *Error
		if errors.As(err, &e) && e.Code == "encrypted" || isLimit(err) {
			return err
		}
	}
	if o.a.has("meta.xml") {
		err := o.a.elements("meta.xml", func(p *xmlPart, e xml.StartElement) error {
			if e.Name.Local != "title" {
				return nil
			}
			s, err := p.text()
			o.b.title(s)
			return err
		})
		if isLimit(err) {
			return err
		}
	}
	if !o.a.has("styles.xml") {
		return nil
	}
	err := o.a.elements("styles.xml", func(p *xmlPart, e xml.StartElement) error {
		switch e.Name.Local {
		case "list-style":
			return o.listStyle(p, e)
		case "header", "header-first", "header-left", "footer", "footer-first", "footer-left":
			if !strings.HasSuffix(e.Name.Space, ":style:1.0") {
				return nil
			}
			s, err := o.flat(p)
			if s = oneLine(s); !slices.Contains(o.margins, s) && len(o.margins) < maxMargins {
				o.margins = append(o.margins, s)
			}
			return err
		}
		return nil
	})
	if isLimit(err) {
		return err
	}
	return nil
}

// listStyle notes which levels of a list count.
func (o *odf) listStyle(p *xmlPart, e xml.StartElement) error {
	name := attr(e, "name")
	return p.children(func(e xml.StartElement) error {
		if e.Name.Local == "list-level-style-number" && attr(e, "num-format") != "" {
			o.numbered[name+" "+attr(e, "level")] = true
		}
		return nil
	})
}

// body reads the blocks of a text document.
func (o *odf) body(p *xmlPart) error {
	for _, s := range o.margins {
		o.b.paragraph(s)
	}
	o.page()
	o.b.doc.Pages[0].Start = 0
	err := p.children(func(e xml.StartElement) error { return o.block(p, e) })
	if !o.breaks {
		o.b.doc.Pages = nil
	}
	return err
}

func (o *odf) page() {
	o.pages++
	o.b.doc.Pages = append(o.b.doc.Pages, document.Page{Start: o.b.len(), Label: strconv.Itoa(o.pages)})
}

// block reads one element of a text's body; of those that it does not know,
// what is in them comes next.
func (o *odf) block(p *xmlPart, e xml.StartElement) (err error) {
	switch e.Name.Local {
	case "tracked-changes", "annotation", "forms", "hidden-text", "hidden-paragraph", "sequence-decls", "settings", "event-listeners":
		err = p.Skip()
	case "h":
		level, _ := strconv.Atoi(attr(e, "outline-level"))
		err = o.paragraph(p, max(level, 1), "")
	case "p":
		err = o.paragraph(p, 0, "")
	case "list":
		err = o.list(p, attr(e, "style-name"))
	case "table":
		err = o.table(p)
	case "soft-page-break":
		o.breaks = true
		o.b.blank()
		o.page()
	}
	if err == nil {
		err = o.b.err
	}
	if err == nil {
		err = o.ctx.Err()
	}
	return err
}

// list reads <text:list>.
func (o *odf) list(p *xmlPart, style string) error {
	o.depth++
	defer func() { o.depth-- }()
	count := 0
	return p.children(func(e xml.StartElement) error {
		if e.Name.Local != "list-item" && e.Name.Local != "list-header" {
			return nil
		}
		marker := strings.Repeat("  ", min(o.depth, 9)-1)
		if o.numbered[style+" "+strconv.Itoa(o.depth)] {
			count++
			marker += strconv.Itoa(count) + ". "
		} else {
			marker += "- "
		}
		return p.children(func(e xml.StartElement) error {
			switch e.Name.Local {
			case "p":
				m := marker
				marker = "" // of an item's first paragraph
				return o.paragraph(p, 0, m)
			case "list":
				inner := attr(e, "style-name")
				if inner == "" {
					inner = style
				}
				return o.list(p, inner)
			}
			return o.block(p, e)
		})
	})
}

// odfParagraph is a paragraph in the making.
type odfParagraph struct {
	text   strings.Builder
	space  bool // the text so far ends in one
	breaks []int
	after  []string // boxes and notes
}

func (w *odfParagraph) write(s string) {
	for i, word := range strings.FieldsFunc(s, odfSpace) {
		if (i > 0 || odfSpace(rune(s[0]))) && !w.space && w.text.Len() > 0 {
			w.text.WriteByte(' ')
		}
		w.text.WriteString(word)
		w.space = false
	}
	if s != "" && odfSpace(rune(s[len(s)-1])) && !w.space && w.text.Len() > 0 {
		w.text.WriteByte(' ')
		w.space = true
	}
}

// odfSpace reports whether r is space that collapses with its neighbours.
func odfSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

// paragraph reads <text:p> or <text:h> and appends it.
func (o *odf) paragraph(p *xmlPart, level int, marker string) error {
	var w odfParagraph
	err := o.spans(p, &w)
	text := strings.TrimSpace(w.text.String())
	switch {
	case len(w.breaks) > 0:
		o.b.acrossPages(marker, w.text.String(), w.breaks, level, o.page)
	case level > 0:
		o.b.heading(level, text)
	case marker != "" && text != "":
		o.b.line()
		o.b.write(marker + text + "\n")
	default:
		o.b.paragraph(text)
	}
	for _, s := range w.after {
		o.b.paragraph(s)
	}
	return err
}

// spans reads what a paragraph holds.
func (o *odf) spans(p *xmlPart, w *odfParagraph) error {
	text := func(s []byte) { w.write(string(s)) }
	return p.mixed(text, func(e xml.StartElement) error {
		if w.text.Len() > maxToken {
			return overLimit("memory", "This file has a paragraph of more than %d MiB, which is the limit.", maxToken>>20)
		}
		switch e.Name.Local {
		case "s", "tab":
			w.write(" ")
		case "line-break":
			w.text.WriteByte('\n')
			w.space = true
		case "soft-page-break":
			o.breaks = true
			w.breaks = append(w.breaks, w.text.Len())
		case "annotation", "ruby-text", "hidden-text", "note-citation", "tracked-changes":
			return p.Skip()
		case "note-body", "text-box":
			s, err := o.flat(p)
			if s = strings.TrimSpace(s); s != "" && e.Name.Local == "note-body" {
				s = "[" + oneLine(s) + "]"
			}
			w.after = append(w.after, s)
			return err
		}
		return nil
	})
}

// flat gives the text of the element begun last.
func (o *odf) flat(p *xmlPart) (string, error) {
	sub := *o
	sub.b = &builder{most: o.b.most - int64(o.b.len()), table: -1}
	err := p.children(func(e xml.StartElement) error { return sub.block(p, e) })
	return string(sub.b.text), err
}

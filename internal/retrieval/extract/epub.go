package extract

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"net/url"
	"path"
	"strings"

	"portico/internal/retrieval/document"
)

// epub reads one EPUB book (EPUB 3.3, and 2.0.1 with its NCX).
type epub struct {
	a      *archive
	in     *Input
	lim    *Limits
	b      *builder
	titles map[string]string // of chapters, by their member
	spine  []string          // the chapters' members in reading order
}

func readEPUB(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	a, err := openArchive(in, lim, "EPUB book")
	if err != nil {
		return nil, err
	}
	e := &epub{a: a, in: in, lim: lim, b: newBuilder(lim), titles: map[string]string{}}
	if err := e.open(); err != nil {
		return nil, err
	}
	for i, name := range e.spine {
		in.progress(i, len(e.spine))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := e.chapter(ctx, name); isLimit(err) {
			return nil, err
		} else if err != nil {
			e.b.warn("The chapter “" + cut(name, 200) + "” of this book is damaged and was not read.")
		}
		if e.b.err != nil {
			return nil, e.b.err
		}
	}
	in.progress(len(e.spine), len(e.spine))
	return e.b.done()
}

// open finds the package document and reads it.
func (e *epub) open() error {
	main := ""
	err := e.a.elements("META-INF/container.xml", func(_ *xmlPart, el xml.StartElement) error {
		if el.Name.Local == "rootfile" && main == "" {
			main = strings.TrimPrefix(path.Clean("/"+attr(el, "full-path")), "/")
		}
		return nil
	})
	if err != nil {
		return err
	}
	items, toc, err := e.packageDocument(main)
	if err != nil {
		return err
	}
	if err := e.encrypted(); err != nil {
		return err
	}
	for _, part := range toc {
		if part = items[part]; e.a.has(part) {
			if err := e.contents(part); isLimit(err) {
				return err
			}
		}
	}
	return nil
}

// packageDocument reads title, manifest and spine. items are members by their
// id, toc the ids of tables of contents.
func (e *epub) packageDocument(main string) (items map[string]string, toc []string, err error) {
	items = map[string]string{}
	var spine []string
	err = e.a.elements(main, func(p *xmlPart, el xml.StartElement) error {
		switch el.Name.Local {
		case "title":
			s, err := p.text()
			e.b.title(s)
			return err
		case "item":
			id := attr(el, "id")
			items[id] = inBook(main, attr(el, "href"))
			if strings.Contains(" "+attr(el, "properties")+" ", " nav ") || attr(el, "media-type") == "application/x-dtbncx+xml" {
				toc = append(toc, id)
			}
		case "itemref":
			spine = append(spine, attr(el, "idref"))
		}
		return nil
	})
	seen := map[string]bool{} // a chapter named a thousand times is read once
	for _, id := range spine {
		if part := items[id]; e.a.has(part) && !seen[part] {
			seen[part] = true
			e.spine = append(e.spine, part)
		}
	}
	if err == nil && len(e.spine) == 0 {
		err = broken("EPUB book", errors.New("no chapter of the spine is there"))
	}
	return items, toc, err
}

// inBook gives the member that a link in another one leads to.
func inBook(from, href string) string {
	href, _, _ = strings.Cut(href, "#")
	if s, err := url.PathUnescape(href); err == nil {
		href = s
	}
	return strings.TrimPrefix(path.Join("/", path.Dir(from), href), "/")
}

// encrypted refuses a book whose chapters are: fonts may be.
func (e *epub) encrypted() error {
	if !e.a.has("META-INF/encryption.xml") {
		return nil
	}
	locked := map[string]bool{}
	err := e.a.elements("META-INF/encryption.xml", func(_ *xmlPart, el xml.StartElement) error {
		if el.Name.Local == "CipherReference" {
			locked[inBook("x", attr(el, "URI"))] = true
		}
		return nil
	})
	for _, part := range e.spine {
		if locked[part] {
			return &Error{Code: "encrypted", Detail: "This book is protected against copying and cannot be read. Upload one without protection."}
		}
	}
	if isLimit(err) {
		return err
	}
	return nil
}

// contents reads a table of contents: <nav> of EPUB 3, NCX of EPUB 2. The first
// title of a chapter counts.
func (e *epub) contents(part string) error {
	label := ""
	note := func(href, title string) {
		if to := inBook(part, href); title != "" && e.titles[to] == "" {
			e.titles[to] = title
		}
	}
	return e.a.elements(part, func(p *xmlPart, el xml.StartElement) error {
		switch el.Name.Local {
		case "a":
			s, err := p.text()
			note(attr(el, "href"), oneLine(s))
			return err
		case "text":
			s, err := p.text()
			label = oneLine(s)
			return err
		case "content":
			note(attr(el, "src"), label)
		}
		return nil
	})
}

// chapter appends a chapter, under its title in the table of contents if it
// has no heading of its own at its beginning.
func (e *epub) chapter(ctx context.Context, name string) error {
	rc, err := e.a.open(name)
	if err != nil {
		return err
	}
	defer rc.Close()
	content, err := readInner(rc)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(content)) == 0 {
		return nil
	}
	d, err := readHTML(ctx, &Input{Name: "chapter.xhtml", ContentType: "application/xhtml+xml", Content: bytes.NewReader(content), Size: int64(len(content)), part: e.in.whole()}, e.lim)
	if err != nil {
		return err
	}
	begins := len(d.Headings) > 0 && strings.TrimSpace(d.Text[:d.Headings[0].Start]) == ""
	if title := e.titles[name]; !begins && title != "" && strings.TrimSpace(d.Text) != "" {
		e.b.heading(1, title)
	}
	e.b.add(d)
	return nil
}

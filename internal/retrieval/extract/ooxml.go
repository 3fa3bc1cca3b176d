package extract

import (
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"
)

// maxToken is how long one piece of XML may be, a tag or a run of text. It is
// held in memory whole.
const maxToken = 16 << 20

// xmlPart reads one XML member of an archive.
type xmlPart struct {
	*xmlDecoder
	io.Closer
	run *tokenMeter
}

// tokenMeter counts the bytes read since the last token.
type tokenMeter struct {
	r io.Reader
	n int
}

func (m *tokenMeter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.n += n; m.n > maxToken {
		return 0, overLimit("memory", "This file has a piece of text or a tag of more than %d MiB, which is the limit.", maxToken>>20)
	}
	return n, err
}

// xml opens an XML member of that clean name.
func (a *archive) xml(name string) (*xmlPart, error) {
	rc, err := a.open(name)
	if err != nil {
		return nil, err
	}
	m := &tokenMeter{r: rc}
	return &xmlPart{xmlDecoder: newXML(m, a.lim), Closer: rc, run: m}, nil
}

// Token gives the next token; io.EOF ends the part, other errors are *Error.
func (p *xmlPart) Token() (xml.Token, error) {
	p.run.n = 0
	t, err := p.xmlDecoder.Token()
	if err != nil && err != io.EOF {
		err = broken("file", err)
	}
	return t, err
}

// Skip passes over the rest of the element that was begun last.
func (p *xmlPart) Skip() error {
	for inside := 1; inside > 0; {
		t, err := p.Token()
		if err == io.EOF {
			err = broken("file", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		switch t.(type) {
		case xml.StartElement:
			inside++
		case xml.EndElement:
			inside--
		}
	}
	return nil
}

// elements calls on for each element of a part in order, until its end. What
// on reads of the element itself (with text, Skip or Token) is passed.
func (a *archive) elements(name string, on func(p *xmlPart, e xml.StartElement) error) error {
	p, err := a.xml(name)
	if err != nil {
		return err
	}
	defer p.Close()
	for {
		t, err := p.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := t.(xml.StartElement); ok {
			if err := on(p, e); err != nil {
				return err
			}
		}
	}
}

// children calls on for each element below the one begun last, to that one's
// end. What on reads of them itself is passed.
func (p *xmlPart) children(on func(e xml.StartElement) error) error {
	return p.mixed(func([]byte) {}, on)
}

// mixed is children where the text between the elements counts, too.
func (p *xmlPart) mixed(text func([]byte), on func(e xml.StartElement) error) error {
	for inside := 1; inside > 0; {
		t, err := p.Token()
		if err == io.EOF {
			err = broken("file", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.CharData:
			text(t)
		case xml.StartElement:
			before := p.depth
			if err := on(t); err != nil {
				return err
			}
			if p.depth == before {
				inside++
			}
		case xml.EndElement:
			inside--
		}
	}
	return nil
}

// text reads the element that was begun last to its end and gives the text in
// it and in all elements below it.
func (p *xmlPart) text() (string, error) {
	var b strings.Builder
	for inside := 1; inside > 0; {
		t, err := p.Token()
		if err == io.EOF {
			err = broken("file", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			inside++
		case xml.EndElement:
			inside--
		case xml.CharData:
			if b.Len()+len(t) > maxToken {
				return "", overLimit("memory", "This file has a piece of text of more than %d MiB, which is the limit.", maxToken>>20)
			}
			b.Write(t)
		}
	}
	return b.String(), nil
}

// attr gives an attribute by its local name, "" where there is none.
func attr(e xml.StartElement, local string) string {
	for i := range e.Attr {
		if e.Attr[i].Name.Local == local {
			return e.Attr[i].Value
		}
	}
	return ""
}

// relAttr gives the attribute that names a relationship, like r:id, whatever
// its prefix is.
func relAttr(e xml.StartElement, local string) string {
	for i := range e.Attr {
		if n := e.Attr[i].Name; n.Local == local && strings.HasSuffix(n.Space, "/relationships") {
			return e.Attr[i].Value
		}
	}
	return ""
}

// on reports whether an on/off property, as <w:b/> or <w:b w:val="0"/>, is on.
func on(e xml.StartElement) bool {
	switch attr(e, "val") {
	case "0", "false", "off", "none":
		return false
	}
	return true
}

// relation is one relationship of a part (ECMA-376 part 2, 9.3).
type relation struct {
	id     string
	kind   string // the last word of its type: "slide", "header", …
	target string // the clean name of a member
}

// relations gives the relationships of a part within the package, in order.
// A part without any has none.
func (a *archive) relations(name string) ([]relation, error) {
	dir, base := path.Split(name)
	rels := dir + "_rels/" + base + ".rels"
	if !a.has(rels) {
		return nil, nil
	}
	var all []relation
	err := a.elements(rels, func(_ *xmlPart, e xml.StartElement) error {
		if e.Name.Local != "Relationship" || attr(e, "TargetMode") == "External" {
			return nil
		}
		target := attr(e, "Target")
		if !strings.HasPrefix(target, "/") {
			target = path.Join("/", dir, target)
		}
		all = append(all, relation{id: attr(e, "Id"), kind: path.Base(attr(e, "Type")), target: strings.TrimPrefix(path.Clean(target), "/")})
		return nil
	})
	return all, err
}

// byID gives the target of a relationship, "" where there is none.
func byID(all []relation, id string) string {
	for _, r := range all {
		if r.id == id {
			return r.target
		}
	}
	return ""
}

// ofKind gives the target of the first relationship of a kind, "" where there
// is none.
func ofKind(all []relation, kind string) string {
	for _, r := range all {
		if r.kind == kind {
			return r.target
		}
	}
	return ""
}

// openOffice opens an Office Open XML package and gives its main part with
// that one's relationships. The document's title goes to b.
func openOffice(in *Input, lim *Limits, kind string, b *builder) (a *archive, main string, rels []relation, err error) {
	if a, err = openArchive(in, lim, kind); err != nil {
		return nil, "", nil, err
	}
	top, err := a.relations("")
	if err != nil {
		return nil, "", nil, err
	}
	if main = ofKind(top, "officeDocument"); !a.has(main) {
		return nil, "", nil, broken(kind, errors.New("no main part"))
	}
	if core := ofKind(top, "core-properties"); a.has(core) {
		err := a.elements(core, func(p *xmlPart, e xml.StartElement) error {
			if e.Name.Local != "title" {
				return nil
			}
			s, err := p.text()
			b.title(s)
			return err
		})
		if err != nil && !isLimit(err) {
			err = nil // a document is more than its properties
		}
		if err != nil {
			return nil, "", nil, err
		}
	}
	rels, err = a.relations(main)
	return a, main, rels, err
}

// isLimit reports whether err is a limit met, which ends all reading.
func isLimit(err error) bool {
	var e *Error
	return errors.As(err, &e) && strings.HasPrefix(e.Code, "limit:")
}

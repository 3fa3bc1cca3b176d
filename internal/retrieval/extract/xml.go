package extract

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"portico/internal/retrieval/document"
)

// readXML writes the text of each element on a line with its path, as
// "catalog/book/title: …", its attributes beside it. Markup within a sentence
// stays in its line. What is no XML is text.
func readXML(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	b := newBuilder(lim)
	d := newXML(io.NewSectionReader(in.Content, 0, in.Size), lim)
	d.Strict = false
	w := xmlWriter{b: b}
	for n := 0; b.err == nil; n++ {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return w.orText(ctx, in, lim, err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			w.start(t)
		case xml.EndElement:
			w.end()
		case xml.CharData:
			w.text.Write(t)
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	w.flush()
	return b.done()
}

func (w *xmlWriter) orText(ctx context.Context, in *Input, lim *Limits, err error) (*document.Document, error) {
	var e *Error
	if errors.As(err, &e) {
		return nil, err
	}
	d, terr := readText(ctx, in, lim)
	if terr != nil {
		return nil, terr
	}
	d.Warnings = append(d.Warnings, "This file is not valid XML and was read as plain text.")
	return d, nil
}

type xmlWriter struct {
	b     *builder
	path  []string
	text  strings.Builder
	said  string // attributes of the element that is open
	mixed int    // how deep the element is whose text has elements in it; 0 is none
}

func (w *xmlWriter) start(e xml.StartElement) {
	switch {
	case w.mixed > 0:
		w.text.WriteByte(' ')
	case strings.TrimSpace(w.text.String()) != "":
		w.mixed = len(w.path)
		w.text.WriteByte(' ')
	default:
		w.flush()
	}
	w.path = append(w.path, e.Name.Local)
	if w.mixed > 0 {
		return
	}
	var said []string
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" || strings.TrimSpace(a.Value) == "" || len(a.Value) > 500 {
			continue
		}
		said = append(said, a.Name.Local+"="+oneLine(a.Value))
	}
	w.said = strings.Join(said, ", ")
}

func (w *xmlWriter) end() {
	if w.mixed == 0 || len(w.path) <= w.mixed {
		w.flush()
		w.mixed = 0
	}
	if len(w.path) > 0 {
		w.path = w.path[:len(w.path)-1]
	}
	if len(w.path) == 1 {
		w.b.blank() // members of the root are paragraphs
	}
}

func (w *xmlWriter) flush() {
	text := oneLine(w.text.String())
	w.text.Reset()
	said := w.said
	w.said = ""
	if text == "" && said == "" {
		return
	}
	w.b.line()
	w.b.write(strings.Join(w.path, "/"))
	if said != "" {
		w.b.write(" (" + said + ")")
	}
	if text != "" {
		w.b.write(": " + text)
	}
	w.b.line()
	if len(w.path) == 2 && w.path[1] == "title" {
		w.b.title(text)
	}
}

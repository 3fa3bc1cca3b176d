package extract

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"strings"

	"portico/internal/retrieval/document"
)

// maxInner is how large a file within another may be: it is held in memory.
const maxInner = 128 << 20

// readZIP reads the members of an archive as sections, each under its path.
// One that cannot be read is named in a warning; an archive that is a danger
// is refused whole.
func readZIP(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	a, err := openArchive(in, lim, "archive")
	if err != nil {
		return nil, err
	}
	z := &inner{ctx: ctx, in: in, lim: lim, b: newBuilder(lim)}
	for i, f := range a.files {
		in.progress(i, len(a.files))
		name := memberName(f)
		switch {
		case junk(name):
			continue
		case a.named[name] != f:
			z.b.warn("“" + name + "” is in the archive more than once; the first one was read.")
			continue
		}
		rc, err := a.openFile(f)
		var content []byte
		if err == nil {
			content, err = readInner(rc)
			rc.Close()
		}
		if err == nil && len(content) == 0 {
			continue // nothing is lost
		}
		if err = z.add("", name, "", content, err); err != nil {
			return nil, err
		}
	}
	in.progress(len(a.files), len(a.files))
	return z.done()
}

// junk reports whether a member is what systems leave behind in archives.
func junk(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(name, "__MACOSX/") || base == ".DS_Store" || strings.EqualFold(base, "Thumbs.db") || strings.EqualFold(base, "desktop.ini")
}

// readInner reads a file within another into memory.
func readInner(r io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxInner+1))
	if err == nil && len(content) > maxInner {
		err = overLimit("memory", "Files of more than %d MiB within other files are not read.", maxInner>>20)
	}
	return content, err
}

// inner collects the documents within a file: members, attachments.
type inner struct {
	ctx  context.Context
	in   *Input
	lim  *Limits
	b    *builder
	read int
	err  error // why the first that was not read was not
}

// add reads a file within and appends it as a section, under a heading of what
// it is and its name. err is why its content is not to be had. What it
// returns ends the reading of the whole.
func (n *inner) add(what, name, contentType string, content []byte, err error) error {
	var d *document.Document
	if err == nil {
		var m *Input
		if m, err = n.in.member(name, contentType, bytes.NewReader(content), int64(len(content)), n.lim); err == nil {
			d, err = m.readMember(n.ctx, n.lim)
		}
	}
	return n.added(what, name, d, err)
}

// added appends the document of a file within, or names it in a warning.
func (n *inner) added(what, name string, d *document.Document, err error) error {
	if n.ctx.Err() != nil {
		return n.ctx.Err()
	}
	var e *Error
	switch {
	case err == nil:
		n.read++
		n.section(what, name, d)
		return n.b.err
	case !errors.As(err, &e):
		return err
	}
	switch e.Code {
	case "limit:expand", "limit:ratio", "limit:members", "limit:text":
		return err
	}
	if n.err == nil {
		n.err = err
	}
	n.b.warn("“" + cut(name, 200) + "” was not read. " + e.Detail)
	return nil
}

// section appends a document under its name. Its pages are told with it.
func (n *inner) section(what, name string, d *document.Document) {
	n.b.page(name)
	n.b.heading(1, what+name)
	for i := range d.Headings {
		d.Headings[i].Level = min(d.Headings[i].Level+1, 9)
	}
	for i, p := range d.Pages {
		if number(p.Label) {
			d.Pages[i].Label = name + ", page " + p.Label
		} else {
			d.Pages[i].Label = name + ", " + p.Label
		}
	}
	for i, w := range d.Warnings {
		d.Warnings[i] = "In “" + cut(name, 200) + "”: " + w
	}
	n.b.add(d)
}

// done gives the whole. If nothing within could be read, that is its error.
func (n *inner) done() (*document.Document, error) {
	if n.read == 0 && n.err != nil && n.b.len() == 0 {
		return nil, n.err
	}
	return n.b.done()
}

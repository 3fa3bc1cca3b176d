package extract

import (
	"bytes"
	"context"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"

	"portico/internal/retrieval/document"
)

// readHTML reads the main text of a page: headings, paragraphs, lists, tables
// as rows, code kept whole. Scripts, styles, forms' inner life and, where the
// page has a main part, what is around it are left out.
func readHTML(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	if in.Size > 4*lim.Text {
		return nil, overLimit("text", "This file holds more than %d MiB of text, which is the limit.", lim.Text>>20)
	}
	raw := make([]byte, in.Size)
	if _, err := in.Content.ReadAt(raw, 0); err != nil && int64(len(raw)) != in.Size {
		return nil, err
	}
	b := newBuilder(lim)
	if err := writeHTML(ctx, b, decodeHTML(raw, in.ContentType), lim); err != nil {
		return nil, err
	}
	return b.done()
}

// decodeHTML decodes as browsers do: a mark of byte order, what the server
// said, what the page says of itself.
func decodeHTML(raw []byte, contentType string) string {
	if wide(raw) != "" {
		return decode(raw, "")
	}
	_, name, certain := charset.DetermineEncoding(raw[:min(len(raw), 1024)], contentType)
	if !certain {
		name = ""
	}
	return decode(raw, name)
}

// writeHTML writes a page, or a piece of one, such as a chapter of a book or a
// mail.
func writeHTML(ctx context.Context, b *builder, page string, lim *Limits) error {
	if err := flatHTML(page, lim.Depth); err != nil {
		return err
	}
	root, err := html.ParseWithOptions(strings.NewReader(page), html.ParseOptionEnableScripting(false))
	if err != nil {
		return broken("HTML page", err)
	}
	w := htmlWriter{ctx: ctx, b: b}
	if t := find(root, atom.Title); t != nil {
		b.title(innerText(t))
	}
	from := root
	if m := mainPart(root); m != nil {
		from = m
	}
	w.node(from)
	w.flush()
	b.endTable()
	return ctx.Err()
}

// flatHTML refuses pages that open more elements in each other than anybody
// writes by hand: the parser's work grows with the square of the depth.
func flatHTML(page string, depth int) error {
	z := html.NewTokenizer(strings.NewReader(page))
	most := depth * 8 // unclosed <p> and <li> count here and nest nowhere
	open := 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return nil
		case html.StartTagToken:
			name, _ := z.TagName()
			switch atom.Lookup(name) {
			case atom.P, atom.Li, atom.Br, atom.Img, atom.Meta, atom.Link, atom.Input, atom.Hr, atom.Td, atom.Th, atom.Tr, atom.Dt, atom.Dd, atom.Option, atom.Source, atom.Col, atom.Wbr, atom.Area, atom.Base, atom.Embed, atom.Param, atom.Track:
			default:
				if open++; open > most {
					return overLimit("depth", "This page nests elements more than %d deep.", most)
				}
			}
		case html.EndTagToken:
			open = max(open-1, 0)
		}
	}
}

// find gives the first element of a kind.
func find(n *html.Node, a atom.Atom) *html.Node {
	for d := range n.Descendants() {
		if d.DataAtom == a && d.Type == html.ElementNode {
			return d
		}
	}
	return nil
}

// mainPart gives the one part that a page calls its main one, if it holds a
// good part of the text.
func mainPart(root *html.Node) *html.Node {
	var found *html.Node
	all := 0
	for n := range root.Descendants() {
		switch {
		case n.Type == html.TextNode && !hidden(n.Parent):
			all += len(strings.TrimSpace(n.Data))
		case n.Type == html.ElementNode && (n.DataAtom == atom.Main || attribute(n, "role") == "main"):
			if found == nil {
				found = n
			}
		}
	}
	if found == nil || len(innerText(found))*4 < all {
		return nil
	}
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// hidden reports whether what is in an element is not for reading.
func hidden(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Template, atom.Head, atom.Title, atom.Iframe, atom.Object, atom.Svg, atom.Canvas, atom.Select, atom.Button, atom.Textarea, atom.Nav, atom.Audio, atom.Video:
		return true
	}
	style := strings.ReplaceAll(attribute(n, "style"), " ", "")
	if strings.Contains(style, "display:none") || attribute(n, "aria-hidden") == "true" {
		return true
	}
	for _, a := range n.Attr {
		if a.Key == "hidden" {
			return true
		}
	}
	return false
}

// innerText is all text within an element, as one line.
func innerText(n *html.Node) string {
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.Type == html.ElementNode && n.DataAtom == atom.Br:
			b.WriteByte(' ')
		case n.Type == html.ElementNode && n.DataAtom == atom.Img:
			b.WriteString(attribute(n, "alt"))
		}
		for c := range n.ChildNodes() {
			if c.Type != html.ElementNode || !hidden(c) {
				walk(c)
			}
		}
		if n.Type == html.ElementNode && block(n.DataAtom) {
			b.WriteByte(' ')
		}
	}
	walk(n)
	return oneLine(b.String())
}

// block reports whether an element stands on lines of its own.
func block(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Main, atom.Header, atom.Footer, atom.Aside, atom.Ul, atom.Ol, atom.Li, atom.Dl, atom.Dt, atom.Dd,
		atom.Blockquote, atom.Figure, atom.Figcaption, atom.Address, atom.Fieldset, atom.Form, atom.Table, atom.Tr, atom.Td, atom.Th, atom.Caption, atom.Hr,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Pre, atom.Body, atom.Html, atom.Details, atom.Summary, atom.Hgroup, atom.Center:
		return true
	}
	return false
}

type htmlWriter struct {
	ctx    context.Context
	b      *builder
	line   bytes.Buffer // text of the paragraph that is being read
	item   string       // what begins the next line of a list
	indent int
}

// lineBreak stands for <br> in the text of a paragraph.
const lineBreak = "\x00"

// flush ends the paragraph.
func (w *htmlWriter) flush() {
	var lines []string
	for l := range strings.SplitSeq(w.line.String(), lineBreak) {
		if l = oneLine(l); l != "" {
			lines = append(lines, w.item+l)
			w.item = strings.Repeat(" ", len(w.item))
		}
	}
	w.line.Reset()
	text := strings.Join(lines, "\n")
	if w.indent == 0 {
		w.b.paragraph(text)
	} else if text != "" {
		w.b.line()
		w.b.write(text)
		w.b.line()
	}
}

func (w *htmlWriter) children(n *html.Node) {
	for c := range n.ChildNodes() {
		w.node(c)
	}
}

func (w *htmlWriter) node(n *html.Node) {
	if w.b.err != nil || w.ctx.Err() != nil {
		return
	}
	switch n.Type {
	case html.TextNode:
		w.line.WriteString(n.Data) // the parser has taken NULs out
		return
	case html.ElementNode:
	default:
		w.children(n)
		return
	}
	if hidden(n) {
		return
	}
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.flush()
		w.b.heading(int(n.Data[1]-'0'), innerText(n))
	case atom.Pre:
		w.flush()
		w.b.code(raw(n))
	case atom.Table:
		w.flush()
		w.table(n)
	case atom.Br:
		w.line.WriteString(lineBreak)
	case atom.Img:
		w.line.WriteString(attribute(n, "alt"))
	case atom.Ul, atom.Ol:
		w.list(n)
	default:
		if block(n.DataAtom) {
			w.flush()
			w.children(n)
			w.flush()
			return
		}
		w.children(n)
	}
}

func (w *htmlWriter) list(n *html.Node) {
	w.flush()
	if w.indent == 0 {
		w.b.blank()
	}
	outer := w.item
	w.indent++
	for c := range n.ChildNodes() {
		if c.Type == html.ElementNode && c.DataAtom == atom.Li {
			w.item = strings.Repeat("  ", w.indent-1) + "- "
			w.children(c)
			w.flush()
		} else {
			w.node(c)
		}
	}
	w.indent--
	w.item = outer
	if w.indent == 0 {
		w.item = ""
		w.b.blank()
	}
}

// raw is the text of an element as it stands.
func raw(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		switch {
		case d.Type == html.TextNode:
			b.WriteString(d.Data)
		case d.DataAtom == atom.Br:
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// table writes rows. A table of one column, or with tables or headings in it,
// is layout and read as text.
func (w *htmlWriter) table(n *html.Node) {
	var rows [][]string
	var heads []bool
	layout, widest := false, 0
	for d := range n.Descendants() {
		switch {
		case d.Type != html.ElementNode:
		case d.DataAtom == atom.Table, d.DataAtom == atom.H1, d.DataAtom == atom.H2, d.DataAtom == atom.H3:
			layout = true
		case d.DataAtom == atom.Caption:
			w.b.paragraph(innerText(d))
		case d.DataAtom == atom.Tr && !layout:
			row, head := tableRow(d)
			rows, heads, widest = append(rows, row), append(heads, head), max(widest, len(row))
		}
	}
	if layout || widest < 2 {
		for c := range n.ChildNodes() {
			w.node(c)
			w.flush()
		}
		return
	}
	w.b.endTable()
	for i, r := range rows {
		w.b.row(r, i == 0 && (heads[0] || len(rows) > 1 && headerRow(r, rows[1])))
	}
	w.b.endTable()
}

// tableRow gives the cells of a row; head is a row of nothing but <th>.
func tableRow(tr *html.Node) (cells []string, head bool) {
	head = true
	for c := range tr.ChildNodes() {
		if c.Type != html.ElementNode || c.DataAtom != atom.Td && c.DataAtom != atom.Th {
			continue
		}
		head = head && c.DataAtom == atom.Th
		cells = append(cells, innerText(c))
		for n := span(c); n > 1 && len(cells) < widestRow; n-- {
			cells = append(cells, "")
		}
	}
	return cells, head && len(cells) > 0
}

func span(n *html.Node) int {
	s := attribute(n, "colspan")
	if len(s) == 1 && s[0] > '0' && s[0] <= '9' {
		return int(s[0] - '0')
	}
	return 1
}

package docset

import (
	"archive/zip"
	"bytes"
	encodingcsv "encoding/csv"
	"encoding/json"
	"fmt"
	htmlpkg "html"
	"strings"

	"portico/internal/retrieval/extract/pdftest"
)

func markdown(a *article) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n", a.title)
	for _, s := range a.sections {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", s.heading, strings.Join(s.paragraphs, "\n\n"))
	}
	for i, row := range a.table {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.Bytes()
}

func plain(a *article) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n", a.title)
	for _, s := range a.sections {
		fmt.Fprintf(&b, "%s\n\n%s\n\n", strings.ToUpper(s.heading), strings.Join(s.paragraphs, "\n\n"))
	}
	for _, row := range a.table[1:] {
		for i, cell := range row {
			fmt.Fprintf(&b, "%s: %s. ", a.table[0][i], cell)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func html(a *article) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!doctype html><html><head><meta charset=\"utf-8\"><title>%s</title></head><body><h1>%[1]s</h1>", htmlpkg.EscapeString(a.title))
	for _, s := range a.sections {
		fmt.Fprintf(&b, "<h2>%s</h2>", s.heading)
		for _, p := range s.paragraphs {
			fmt.Fprintf(&b, "<p>%s</p>\n", htmlpkg.EscapeString(p))
		}
	}
	b.WriteString("<table>")
	for i, row := range a.table {
		cell := "td"
		if i == 0 {
			cell = "th"
		}
		b.WriteString("<tr>")
		for _, v := range row {
			fmt.Fprintf(&b, "<%s>%s</%[1]s>", cell, htmlpkg.EscapeString(v))
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</table></body></html>")
	return b.Bytes()
}

func csv(a *article) []byte {
	var b bytes.Buffer
	_ = encodingcsv.NewWriter(&b).WriteAll(a.table) // into memory: cannot fail
	return b.Bytes()
}

func jsonFile(a *article) []byte {
	var rows []map[string]string
	for _, row := range a.table[1:] {
		object := map[string]string{}
		for i, v := range row {
			object[a.table[0][i]] = v
		}
		rows = append(rows, object)
	}
	b, _ := json.MarshalIndent(map[string]any{"title": a.title, "stock": rows}, "", "  ") // strings: cannot fail
	return b
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`

// packed is an Office file of parts, with the main one first.
func packed(mainType, relation string, parts ...[2]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name, text string) {
		if f, err := z.Create(name); err == nil { // into memory: cannot fail
			_, _ = f.Write([]byte(xmlHead + text))
		}
	}
	add("[Content_Types].xml", fmt.Sprintf(`<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/%s" ContentType="%s"/></Types>`, parts[0][0], mainType))
	add("_rels/.rels", relations("officeDocument", parts[0][0]))
	if relation != "" {
		folder, name, _ := strings.Cut(parts[0][0], "/")
		add(folder+"/_rels/"+name+".rels", relations(relation, strings.TrimPrefix(parts[1][0], folder+"/")))
	}
	for _, p := range parts {
		add(p[0], p[1])
	}
	_ = z.Close()
	return b.Bytes()
}

func relations(kind, target string) string {
	return fmt.Sprintf(`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/%s" Target="%s"/></Relationships>`, kind, target)
}

func docx(a *article) []byte {
	var b strings.Builder
	line := func(style, text string) {
		if style != "" {
			style = `<w:pPr><w:pStyle w:val="` + style + `"/></w:pPr>`
		}
		fmt.Fprintf(&b, `<w:p>%s<w:r><w:t>%s</w:t></w:r></w:p>`, style, htmlpkg.EscapeString(text))
	}
	b.WriteString(`<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>`)
	line("Title", a.title)
	for _, s := range a.sections {
		line("Heading1", s.heading)
		for _, p := range s.paragraphs {
			line("", p)
		}
	}
	b.WriteString("<w:tbl>")
	for _, row := range a.table {
		b.WriteString("<w:tr>")
		for _, v := range row {
			b.WriteString("<w:tc>")
			line("", v)
			b.WriteString("</w:tc>")
		}
		b.WriteString("</w:tr>")
	}
	b.WriteString("</w:tbl></w:body></w:document>")
	return packed("application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml", "", [2]string{"word/document.xml", b.String()})
}

func xlsx(a *article) []byte {
	var b strings.Builder
	b.WriteString(`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`)
	for i, row := range a.table {
		fmt.Fprintf(&b, `<row r="%d">`, i+1)
		for j, v := range row {
			fmt.Fprintf(&b, `<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'A'+j, i+1, htmlpkg.EscapeString(v))
		}
		b.WriteString("</row>")
	}
	b.WriteString("</sheetData></worksheet>")
	const book = `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Stock" sheetId="1" r:id="rId1"/></sheets></workbook>`
	return packed("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml", "worksheet",
		[2]string{"xl/workbook.xml", book}, [2]string{"xl/worksheets/sheet1.xml", b.String()})
}

// The layout of pages, in points.
const (
	pageTop, pageBottom, lineHeight = 780.0, 60.0, 14.0
	lineLetters                     = 90
)

// sheet lays lines on pages.
type sheet struct{ doc pdftest.Doc }

func (s *sheet) page() { s.doc.Pages = append(s.doc.Pages, pdftest.Page{}) }

func (s *sheet) line(size float64, text string) {
	p := &s.doc.Pages[len(s.doc.Pages)-1]
	y := pageTop
	if n := len(p.Texts); n > 0 {
		y = p.Texts[n-1].Y - lineHeight - size/2 + 5.5
	}
	if y < pageBottom {
		s.page()
		s.line(size, text)
		return
	}
	p.Texts = append(p.Texts, pdftest.Text{X: 60, Y: y, Size: size, S: text})
}

// flow breaks a paragraph into lines.
func (s *sheet) flow(text string) {
	var line string
	for _, word := range strings.Fields(text) {
		if len(line)+len(word) > lineLetters {
			s.line(11, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	s.line(11, line)
}

func (s *sheet) section(c section) {
	s.line(16, c.heading)
	for _, p := range c.paragraphs {
		s.flow(p)
	}
}

func pdf(a *article) []byte {
	s := sheet{pdftest.Doc{Title: a.title}}
	s.page()
	s.line(20, a.title)
	for _, c := range a.sections {
		s.section(c)
	}
	for _, row := range a.table {
		s.line(11, strings.Join(row, ", "))
	}
	return s.doc.Bytes()
}

// pagedPDF has each section on a page of its own.
func pagedPDF(a *article) []byte {
	s := sheet{pdftest.Doc{Title: a.title}}
	for _, c := range a.sections {
		s.page()
		s.section(c)
	}
	return s.doc.Bytes()
}

package compat

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"path"
	"regexp"
	"strings"
	"testing"
)

// files is by which name later steps call an uploaded file.
var files = map[string]string{
	"f1.txt": "f1", "f2.md": "f2", "f3.docx": "f3", "f4.pdf": "f4", "f5.csv": "f5", "f6.html": "f6", "e.txt": "fe", "b.pdf": "fb", "raw.bin": "fr",
}

// types is what the recording client said of its files; nothing of others.
var types = map[string]string{
	".txt": "text/plain", ".md": "text/markdown", ".csv": "text/csv", ".html": "text/html", ".pdf": "application/pdf",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}

// unsettled is the state of a file that is still being read.
var unsettled = regexp.MustCompile(`"status":"(pending|processing)"`)

// named puts what was learned where a step names it.
func named(text, before, after string, actors map[string]string) string {
	for name, value := range actors {
		text = strings.ReplaceAll(text, before+name+after, value)
	}
	return text
}

// upload makes a form with the file of that name.
func upload(t *testing.T, name string) (io.Reader, string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	header := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="` + name + `"`}}
	if kind := types[path.Ext(name)]; kind != "" {
		header.Set("Content-Type", kind)
	}
	part, err := form.CreatePart(header)
	if err == nil {
		_, err = part.Write(content(t, name))
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &b, form.FormDataContentType()
}

func content(t *testing.T, name string) []byte {
	t.Helper()
	const text = "The zorblax engine was built by Ana Prado in Recife, in the year 1987."
	switch name {
	case "f2.md":
		return []byte("# Lighthouse\n\nThe lighthouse keeper of Olinda is called Tadeu Brasil.\n")
	case "f3.docx":
		return tinyDocx(t, text+" It runs on tidal water.")
	case "f4.pdf":
		return tinyPDF(text + " It has twelve valves.")
	case "f5.csv":
		return []byte("part,price\nvalve,12\npump,90\n")
	case "f6.html":
		return []byte("<html><head><title>Valves</title></head><body><h1>Valves</h1><p>There are twelve valves.</p></body></html>")
	case "e.txt":
		return nil
	case "b.pdf":
		return []byte("%PDF-1.4\nthis is not one")
	case "raw.bin":
		return []byte{0, 1, 2, 3}
	}
	return []byte(text)
}

func tinyDocx(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, part := range [][2]string{
		{"[Content_Types].xml", `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`},
		{"_rels/.rels", `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`},
		{"word/document.xml", `<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>` + text + `</w:t></w:r></w:p></w:body></w:document>`},
	} {
		w, err := z.Create(part[0])
		if err == nil {
			_, err = io.WriteString(w, part[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tinyPDF is one page with one line.
func tinyPDF(text string) []byte {
	stream := "BT /F1 12 Tf 72 720 Td (" + text + ") Tj ET"
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	var at []int
	for i, object := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(stream), stream),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	} {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, start)
	return b.Bytes()
}

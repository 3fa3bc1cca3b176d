package extract

import (
	"bufio"
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// fuzzLimits keep what one input may cost small.
func fuzzLimits() Limits {
	return Limits{Text: 1 << 20, Cells: 10_000, Members: 200, Expand: 4 << 20, Wall: 5 * time.Second}
}

// fuzzExtract reads a file: it is a sound document, or its own fault, and no
// reader panics over it.
func fuzzExtract(t *testing.T, p *Parser, name string, content []byte) {
	d, err := p.Extract(t.Context(), Input{Name: name, Content: bytes.NewReader(content), Size: int64(len(content))})
	var e *Error
	switch {
	case err == nil:
		coherent(t, d)
	case !errors.As(err, &e):
		t.Errorf("error of no kind: %v", err)
	case e.Err != nil && strings.Contains(e.Err.Error(), "panic"):
		t.Error(e.Err)
	case e.Code == "limit:wall":
		t.Error("it took too long")
	}
}

// FuzzContainer changes whole files of every format.
func FuzzContainer(f *testing.F) {
	all := samples(f)
	exts := make([]string, 0, len(all))
	for ext, content := range all {
		exts = append(exts, ext)
		f.Add(ext, content)
	}
	slices.Sort(exts)
	p := New(fuzzLimits(), Options{})
	f.Cleanup(func() { p.Close() })
	f.Fuzz(func(t *testing.T, ext string, content []byte) {
		if !slices.Contains(exts, ext) {
			ext = exts[len(content)%len(exts)]
		}
		fuzzExtract(t, p, "a."+ext, content)
	})
}

// FuzzOfficeXML changes what is within the parts of sound containers.
func FuzzOfficeXML(f *testing.F) {
	f.Add(uint8(0), docxBody+docxRest)
	f.Add(uint8(0), `<w:tbl><w:tr>`+wtc(`<w:gridSpan w:val="2"/><w:vMerge/>`, "a")+`</w:tr><w:tr>`+wtc("", "b")+`</w:tr></w:tbl>`)
	f.Add(uint8(1), docxNumbering)
	f.Add(uint8(2), docxStyles)
	f.Add(uint8(3), xlsxSheetData)
	f.Add(uint8(4), xlsxStrings)
	f.Add(uint8(5), xlsxStyles)
	f.Add(uint8(6), sp("title", ap("a"))+`<a:tbl><a:tr><a:tc>`+ap("b")+`</a:tc></a:tr></a:tbl>`)
	f.Add(uint8(7), `<text:p>a<text:s text:c="9"/></text:p><table:table><table:table-row><table:covered-table-cell/></table:table-row></table:table>`)
	f.Add(uint8(8), `<table:table><table:table-row table:number-rows-repeated="3"><table:table-cell table:number-columns-repeated="4" table:number-rows-spanned="2"><text:p>x</text:p></table:table-cell></table:table-row></table:table>`)
	f.Add(uint8(9), `<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>a</text:p></draw:text-box></draw:frame></draw:page>`)
	p := New(fuzzLimits(), Options{})
	f.Cleanup(func() { p.Close() })
	f.Fuzz(func(t *testing.T, kind uint8, part string) {
		wrap := func(s string) string { return `<x ` + officeNS + ` ` + odfNS + `>` + s + `</x>` }
		rels := zipped{"word/_rels/document.xml.rels", relsOf("styles", "styles.xml", "numbering", "numbering.xml")}
		switch kind % 10 {
		case 0:
			fuzzExtract(t, p, "a.docx", docxOf(t, part))
		case 1:
			fuzzExtract(t, p, "a.docx", docxOf(t, numbered("1", "1", "a")+numbered("1", "0", "b"), rels, zipped{"word/numbering.xml", part}))
		case 2:
			fuzzExtract(t, p, "a.docx", docxOf(t, wp("Chapter", "a"), rels, zipped{"word/styles.xml", part}))
		case 3:
			fuzzExtract(t, p, "a.xlsx", xlsxOf(t, [][2]string{{"S", part}}))
		case 4:
			fuzzExtract(t, p, "a.xlsx", xlsxOf(t, [][2]string{{"S", xlsxSheetData}}, zipped{"xl/sharedStrings.xml", part}))
		case 5:
			fuzzExtract(t, p, "a.xlsx", xlsxOf(t, [][2]string{{"S", xlsxSheetData}}, zipped{"xl/styles.xml", part}))
		case 6:
			fuzzExtract(t, p, "a.pptx", zipOf(t, zipped{"_rels/.rels", relsOf("officeDocument", "ppt/presentation.xml")},
				zipped{"ppt/presentation.xml", wrap(`<p:sldId r:id="rId1"/>`)}, zipped{"ppt/_rels/presentation.xml.rels", relsOf("slide", "s.xml")}, zipped{"ppt/s.xml", wrap(part)}))
		default:
			kinds := [...]string{"text", "spreadsheet", "presentation"}
			fuzzExtract(t, p, "a.odt", odfOf(t, kinds[kind%10-7], part))
		}
	})
}

func FuzzRTF(f *testing.F) {
	f.Add([]byte(rtfSample))
	f.Add([]byte(`{\rtf1\u-10179?\u-8704 x\'e5\bin3 abc{\*\x}}`))
	lim := fuzzLimits().WithDefaults()
	f.Fuzz(func(t *testing.T, content []byte) {
		b := newBuilder(&lim)
		if parseRTF(t.Context(), bufio.NewReader(bytes.NewReader(content)), b, &lim) == nil {
			if d, err := b.done(); err == nil {
				coherent(t, d)
			}
		}
	})
}

func FuzzUnpackRTF(f *testing.F) {
	f.Add([]byte(msgRTF(f)))
	f.Fuzz(func(t *testing.T, packed []byte) {
		const most = 1 << 16
		if out, err := unpackRTF(packed, most); err == nil && (len(out) > most || len(out) > 17*len(packed)) {
			t.Errorf("%d bytes came of %d", len(out), len(packed))
		}
	})
}

func FuzzProperties(f *testing.F) {
	f.Add([]byte(property(propSubmitTime, typeTime, msgTime)), 0)
	f.Fuzz(func(t *testing.T, b []byte, header int) {
		m := msg{fixed: fixedProperties(b, max(header, 0))}
		m.date()
		m.integer(propCodepage)
	})
}

func FuzzCell(f *testing.F) {
	for _, s := range []string{"A1", "XFD1048576", "General", "[h]:mm", `yyyy"年"`, "45292.5", "-1", "1e308"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if col, row, ok := cellRef(s); ok && (col < 0 || col >= sheetColumns || row < 0 || row >= sheetRowsMax) {
			t.Errorf("%q is column %d, row %d", s, col, row)
		}
		formatOf(s)
		for format := plainNumber; format <= elapsedNumber; format++ {
			if got := format.number(s, false); len(got) > len(s)+64 {
				t.Errorf("%q is shown as %q", s, got)
			}
		}
	})
}

func FuzzEML(f *testing.F) {
	f.Add(emlHead + "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=koi8-r\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E5\r\n--b--\r\n")
	f.Add(string(samples(f)["eml"]))
	p := New(fuzzLimits(), Options{})
	f.Cleanup(func() { p.Close() })
	f.Fuzz(func(t *testing.T, content string) {
		if strings.HasPrefix(content, "%") || strings.Contains(content, "%PDF") {
			return // another's parser
		}
		fuzzExtract(t, p, "a.eml", []byte("From: a@b\r\n"+content))
	})
}

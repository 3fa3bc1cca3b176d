package extract

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// samples are small sound files of every format of this part, by extension.
func samples(tb testing.TB) map[string][]byte {
	tb.Helper()
	return map[string][]byte{
		"docx": docxOf(tb, docxBody+numbered("1", "0", "Make fast")+docxRest,
			zipped{"word/_rels/document.xml.rels", relsOf("styles", "styles.xml", "numbering", "numbering.xml")},
			zipped{"word/styles.xml", docxStyles}, zipped{"word/numbering.xml", docxNumbering}),
		"xlsx": xlsxOf(tb, [][2]string{{"Berths", xlsxSheetData}}, zipped{"xl/styles.xml", xlsxStyles}, zipped{"xl/sharedStrings.xml", xlsxStrings}),
		"pptx": zipOf(tb, zipped{"_rels/.rels", relsOf("officeDocument", "ppt/presentation.xml")},
			zipped{"ppt/presentation.xml", `<p:presentation ` + officeNS + `><p:sldIdLst><p:sldId r:id="rId1"/></p:sldIdLst></p:presentation>`},
			zipped{"ppt/_rels/presentation.xml.rels", relsOf("slide", "slides/slide1.xml")},
			zipped{"ppt/slides/slide1.xml", `<p:sld ` + officeNS + `>` + sp("title", ap("Opening")) + `</p:sld>`}),
		"odt":  odfOf(tb, "text", `<text:h>Mooring</text:h><text:p>Ships.</text:p>`),
		"ods":  odfOf(tb, "spreadsheet", `<table:table table:name="S"><table:table-row><table:table-cell office:value-type="float" office:value="7"/></table:table-row></table:table>`),
		"odp":  odfOf(tb, "presentation", `<draw:page><draw:frame><draw:text-box><text:p>First</text:p></draw:text-box></draw:frame></draw:page>`),
		"epub": epubOf(tb),
		"rtf":  []byte(rtfSample),
		"eml":  []byte(emlHead + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText\r\n--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nMore\r\n--b--\r\n"),
		"msg": cfbOf(tb, zipped{"__properties_version1.0", strings.Repeat("\x00", 32)}, zipped{"__substg1.0_0037001F", utf16le("Subject")},
			zipped{"__substg1.0_10090102", msgRTF(tb)}, zipped{"__attach_version1.0_#00000000/__properties_version1.0", "x"}, zipped{"__attach_version1.0_#00000000/__substg1.0_37010102", "text"}),
		"doc": docOf(tb, 0x0200, docFirst, "\x07a\x07\x07"),
		"ppt": pptOf(tb),
		"xls": xlsOf(tb, xlsCells()),
		"zip": zipOf(tb, zipped{"a.txt", "text"}, zipped{"b/c.zip", string(zipOf(tb, zipped{"d.txt", "deep"}))}),
	}
}

// A file that is cut off anywhere gives what came or a reason.
func TestCutOff(t *testing.T) {
	t.Parallel()
	for ext, content := range samples(t) {
		if _, err := extractBytes(t, "a."+ext, content); err != nil {
			t.Errorf("the sound %s: %v", ext, err)
		}
		p := New(Limits{}, Options{})
		for n := 1; n < len(content); n += 1 + len(content)/60 {
			d, err := p.Extract(t.Context(), Input{Name: "a." + ext, Content: bytes.NewReader(content[:n]), Size: int64(n)})
			var e *Error
			switch {
			case err == nil:
				coherent(t, d)
			case !errors.As(err, &e) || e.Detail == "" || strings.Contains(fmt.Sprint(e.Err), "panic"):
				t.Errorf("%s cut at %d: %v", ext, n, err)
			}
		}
		p.Close()
	}
}

// hostileXML are parts that no reader may fall for.
func hostileXML(elem string) map[string]struct{ xml, code string } {
	laughs := `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`
	return map[string]struct{ xml, code string }{
		"laughs":   {laughs + `<x><` + elem + `>&c;</` + elem + `></x>`, "unsupported"},
		"external": {`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x><` + elem + `>&e;</` + elem + `></x>`, "unsupported"},
		"deep":     {strings.Repeat(`<`+elem+`>`, 300), "limit:depth"},
		"unclosed": {`<x><` + elem + `>text`, "broken"},
		"entity":   {`<x><` + elem + `>&none;</` + elem + `></x>`, "broken"},
		"nothing":  {``, "no_text"},
		"binary":   {"\x00\x01\x02", "broken"},
	}
}

func TestHostileXML(t *testing.T) {
	t.Parallel()
	try := func(format, elem string, make func(part string) []byte) {
		for name, c := range hostileXML(elem) {
			t.Run(format+" "+name, func(t *testing.T) {
				_, err := extractBytes(t, "a."+format, make(c.xml))
				fails(t, c.code, err)
			})
		}
	}
	try("docx", "p", func(part string) []byte {
		return zipOf(t, zipped{"_rels/.rels", relsOf("officeDocument", "word/document.xml")}, zipped{"word/document.xml", part})
	})
	try("odt", "p", func(part string) []byte {
		return zipOf(t, zipped{"mimetype", "application/vnd.oasis.opendocument.text"}, zipped{"content.xml", strings.ReplaceAll(part, "<x>", "<x><text>")})
	})
}

// A sheet or a slide that is damaged costs itself, and is named.
func TestDamagedPart(t *testing.T) {
	t.Parallel()
	d, err := extractBytes(t, "a.xlsx", xlsxOf(t, [][2]string{{"Bad", `<sheetData><row><c><v>1</v>`}, {"Good", `<sheetData><row><c><v>42</v></c></row></sheetData>`}}))
	if err != nil || !strings.Contains(d.Text, "42") || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "Bad") {
		t.Errorf("a workbook with a damaged sheet gives %v, %v", d, err)
	}
}

func TestOfficeLimits(t *testing.T) {
	t.Parallel()
	row := `<row>` + strings.Repeat(`<c><v>1</v></c>`, 100) + `</row>`
	sheets := [][2]string{{"A", `<sheetData>` + row + `</sheetData>`}, {"B", `<sheetData>` + row + `</sheetData>`}}
	all := samples(t)
	for name, c := range map[string]struct {
		lim     Limits
		ext     string
		content []byte
		code    string
	}{
		"cells":    {Limits{Cells: 199}, "xlsx", xlsxOf(t, sheets), "limit:cells"},
		"sheets":   {Limits{Sheets: 1}, "xlsx", xlsxOf(t, sheets), "limit:sheets"},
		"text":     {Limits{Text: 10}, "docx", all["docx"], "limit:text"},
		"ods text": {Limits{Text: 1}, "ods", all["ods"], "limit:text"},
		"rtf text": {Limits{Text: 10}, "rtf", all["rtf"], "limit:text"},
		"members":  {Limits{Members: 3}, "pptx", all["pptx"], "limit:members"},
		"zip text": {Limits{Text: 5}, "zip", all["zip"], "limit:text"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := extractUnder(t, c.lim, "a."+c.ext, c.content)
			fails(t, c.code, err)
		})
	}
	_, err := extractUnder(t, Limits{Cells: 200}, "a.xlsx", xlsxOf(t, sheets))
	if err != nil {
		t.Errorf("a workbook at its limit: %v", err)
	}
}

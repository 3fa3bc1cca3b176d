package extract

import (
	"strings"
	"testing"
)

const (
	officeNS = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" ` +
		`xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" ` +
		`xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:wps="urn:wps" xmlns:v="urn:v"`
	relType  = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	coreType = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
)

// relsOf writes a relationships part: pairs of kind and target, rId1 first.
func relsOf(pairs ...string) string {
	var b strings.Builder
	b.WriteString(`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`)
	for i := 0; i < len(pairs); i += 2 {
		typ := relType + pairs[i]
		if pairs[i] == "core-properties" {
			typ = coreType
		}
		b.WriteString(`<Relationship Id="rId` + string(rune('1'+i/2)) + `" Type="` + typ + `" Target="` + pairs[i+1] + `"/>`)
	}
	b.WriteString(`</Relationships>`)
	return b.String()
}

// docxOf makes a Word document of a body and more parts.
func docxOf(tb testing.TB, body string, more ...zipped) []byte {
	tb.Helper()
	members := []zipped{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`},
		{"_rels/.rels", relsOf("officeDocument", "word/document.xml", "core-properties", "docProps/core.xml")},
		{"docProps/core.xml", `<cp:coreProperties xmlns:cp="urn:cp" xmlns:dc="urn:dc"><dc:title>Harbour manual</dc:title></cp:coreProperties>`},
		{"word/document.xml", `<?xml version="1.0"?><w:document ` + officeNS + `><w:body>` + body + `</w:body></w:document>`},
	}
	return zipOf(tb, append(members, more...)...)
}

func wp(style, text string) string {
	return `<w:p><w:pPr><w:pStyle w:val="` + style + `"/></w:pPr><w:r><w:t xml:space="preserve">` + text + `</w:t></w:r></w:p>`
}

func wtc(props, text string) string {
	return `<w:tc><w:tcPr>` + props + `</w:tcPr><w:p><w:r><w:t>` + text + `</w:t></w:r></w:p></w:tc>`
}

func numbered(id, level, text string) string {
	return `<w:p><w:pPr><w:numPr><w:ilvl w:val="` + level + `"/><w:numId w:val="` + id + `"/></w:numPr></w:pPr><w:r><w:t>` + text + `</w:t></w:r></w:p>`
}

const docxStyles = `<w:styles ` + officeNS + `>
<w:style w:type="paragraph" w:styleId="Titre1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Chapter"><w:name w:val="Chapter"/><w:basedOn w:val="Titre1"/></w:style>
<w:style w:type="paragraph" w:styleId="H2"><w:name w:val="heading 2"/><w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Body"><w:name w:val="Body Text"/></w:style></w:styles>`

const docxNumbering = `<w:numbering ` + officeNS + `>
<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1%2)"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="·"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num></w:numbering>`

const docxBody = `<w:p><w:pPr><w:pStyle w:val="Chapter"/></w:pPr><w:r><w:t>Mooring</w:t></w:r></w:p>
<w:p><w:r><w:t xml:space="preserve">Ships moor at </w:t></w:r><w:hyperlink r:id="rId9"><w:r><w:t>berth 7</w:t></w:r></w:hyperlink><w:r><w:footnoteReference w:id="2"/></w:r>
<w:del><w:r><w:delText>never said</w:delText></w:r></w:del><w:ins><w:r><w:t xml:space="preserve"> at night</w:t></w:r></w:ins><w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:fldChar w:fldCharType="begin"/><w:instrText>PAGE</w:instrText><w:t>.</w:t></w:r></w:p>
<w:p><w:pPr><w:outlineLvl w:val="1"/></w:pPr><w:r><w:t>Lines</w:t></w:r></w:p>`

const docxRest = `<w:p><w:r><w:t xml:space="preserve">Before the break </w:t><w:lastRenderedPageBreak/><w:t>and after it.</w:t></w:r></w:p>
<w:p><w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:txbx><w:txbxContent><w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent></wps:txbx></w:drawing></mc:Choice><mc:Fallback><w:pict><v:textbox><w:txbxContent><w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent></v:textbox></w:pict></mc:Fallback></mc:AlternateContent><w:t>Beside the box</w:t></w:r></w:p>
<w:sdt><w:sdtPr><w:alias w:val="x"/></w:sdtPr><w:sdtContent><w:p><w:r><w:t>In a control</w:t></w:r></w:p></w:sdtContent></w:sdt>`

func TestDOCX(t *testing.T) {
	t.Parallel()
	table := `<w:tbl><w:tblPr><w:tblLook w:val="04A0"/></w:tblPr><w:tr>` + wtc("", "Berth") + wtc("", "Depth") + wtc("", "Crane") + `</w:tr>` +
		`<w:tr>` + wtc(`<w:vMerge w:val="restart"/>`, "7") + wtc("", "9 m") + wtc("", "yes") + `</w:tr>` +
		`<w:tr>` + wtc(`<w:vMerge/>`, "") + wtc(`<w:gridSpan w:val="2"/>`, "closed</w:t><w:lastRenderedPageBreak/><w:t>") + `</w:tr>` +
		`<w:tr><w:trPr><w:del/></w:trPr>` + wtc("", "deleted row") + `</w:tr></w:tbl>`
	lists := numbered("1", "0", "Make fast") + numbered("1", "1", "Bow") + numbered("1", "1", "Stern") + numbered("1", "0", "Report") +
		numbered("2", "0", "Fender") + wp("Body", "Between") + numbered("3", "0", "Anew")
	content := docxOf(t, docxBody+lists+table+docxRest,
		zipped{"word/_rels/document.xml.rels", relsOf("styles", "styles.xml", "numbering", "numbering.xml", "footnotes", "footnotes.xml", "header", "header1.xml", "header", "/word/header2.xml", "footer", "footer1.xml")},
		zipped{"word/styles.xml", docxStyles}, zipped{"word/numbering.xml", docxNumbering},
		zipped{"word/footnotes.xml", `<w:footnotes ` + officeNS + `><w:footnote w:type="separator" w:id="0"><w:p/></w:footnote><w:footnote w:id="2"><w:p><w:r><w:t>Since 1998.</w:t></w:r></w:p></w:footnote></w:footnotes>`},
		zipped{"word/header1.xml", `<w:hdr ` + officeNS + `>` + wp("", "Port Authority") + `</w:hdr>`},
		zipped{"word/header2.xml", `<w:hdr ` + officeNS + `>` + wp("", "Port Authority") + `</w:hdr>`},
		zipped{"word/footer1.xml", `<w:ftr ` + officeNS + `>` + wp("", "Confidential") + `</w:ftr>`},
	)
	d := golden(t, "harbour.docx", content)
	for _, not := range []string{"never said", "gone", "hidden", "PAGE", "deleted row"} {
		if strings.Contains(d.Text, not) {
			t.Errorf("%q was read, which nobody sees", not)
		}
	}
	if len(d.Pages) != 3 || !strings.HasPrefix(d.Text[d.Pages[2].Start:], "and after it.") {
		t.Errorf("pages are %v", d.Pages)
	}
}

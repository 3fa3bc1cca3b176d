package extract

import (
	"strings"
	"testing"
)

const odfNS = `xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" ` +
	`xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0" xmlns:dc="urn:dc"`

// odfOf makes an OpenDocument file of a kind: "text", "spreadsheet", "presentation".
func odfOf(tb testing.TB, kind, body string, more ...zipped) []byte {
	tb.Helper()
	members := []zipped{
		{"mimetype", "application/vnd.oasis.opendocument." + kind},
		{"content.xml", `<office:document-content ` + odfNS + `><office:automatic-styles><text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1"/><text:list-level-style-bullet text:level="2"/></text:list-style></office:automatic-styles><office:body><office:` + kind + `>` + body + `</office:` + kind + `></office:body></office:document-content>`},
		{"meta.xml", `<m ` + odfNS + `><dc:title>Open harbour</dc:title></m>`},
		{"styles.xml", `<s ` + odfNS + `><style:master-page><style:header><text:p>Port Authority</text:p></style:header><style:footer><text:p>Port Authority</text:p></style:footer></style:master-page></s>`},
	}
	return zipOf(tb, append(members, more...)...)
}

func TestODT(t *testing.T) {
	t.Parallel()
	body := `<text:tracked-changes><text:deletion><text:p>never said</text:p></text:deletion></text:tracked-changes>
<text:h text:outline-level="2">Moor<text:span>ing</text:span></text:h>
<text:p>Ships   moor
 at<text:s text:c="2147483647"/><text:a>berth 7</text:a><text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Since 1998.</text:p></text:note-body></text:note>.<office:annotation><text:p>remark</text:p></office:annotation></text:p>
<text:list text:style-name="L1"><text:list-item><text:p>Make fast</text:p><text:list><text:list-item><text:p>Bow</text:p></text:list-item></text:list></text:list-item><text:list-item><text:p>Report</text:p></text:list-item></text:list>
<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>Berth</text:p></table:table-cell><table:table-cell><text:p>Depth</text:p></table:table-cell></table:table-row></table:table-header-rows>
<table:table-row><table:table-cell table:number-rows-spanned="2"><text:p>7</text:p></table:table-cell><table:table-cell><text:p>9</text:p><text:p>m</text:p></table:table-cell></table:table-row><table:table-row><table:covered-table-cell/><table:table-cell table:number-columns-repeated="2147483647"><text:p/></table:table-cell></table:table-row></table:table>
<text:p>Before <text:soft-page-break/>after.</text:p><text:p><draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame>Beside</text:p>`
	d := golden(t, "harbour.odt", odfOf(t, "text", body))
	if strings.Contains(d.Text, "never said") || strings.Contains(d.Text, "remark") {
		t.Errorf("deleted text or remarks were read: %q", d.Text)
	}
}

func TestODS(t *testing.T) {
	t.Parallel()
	cell := func(attrs, text string) string {
		return `<table:table-cell ` + attrs + `><text:p>` + text + `</text:p></table:table-cell>`
	}
	row := func(attrs string, cells ...string) string {
		return `<table:table-row ` + attrs + `>` + strings.Join(cells, "") + `</table:table-row>`
	}
	const empty = `<table:table-cell table:number-columns-repeated="16380"/>`
	body := `<table:table table:name="Berths">` +
		row("", cell("", "Day"), cell("", "Berth"), cell("", "Share"), empty) +
		row("", cell(`office:value-type="date" office:date-value="2024-01-01T13:30:00"`, "01/01/24"), cell(`office:value-type="float" office:value="7" table:number-rows-spanned="2"`, "7,00"), cell(`office:value-type="percentage" office:value="0.255"`, "26 %")) +
		row("", cell("", "second"), `<table:covered-table-cell/>`, cell("", "x")) +
		row(`table:number-rows-repeated="2"`, cell(`table:number-columns-repeated="3"`, "same")) +
		row(`table:number-rows-repeated="1048570"`, empty) + `</table:table>` +
		`<table:table table:name="Empty">` + row(`table:number-rows-repeated="1048576"`, empty) + `</table:table>`
	golden(t, "berths.ods", odfOf(t, "spreadsheet", body))
}

func TestODP(t *testing.T) {
	t.Parallel()
	frame := func(class, text string) string {
		return `<draw:frame presentation:class="` + class + `"><draw:text-box>` + text + `</draw:text-box></draw:frame>`
	}
	body := `<draw:page draw:name="one">` + frame("outline", `<text:list><text:list-item><text:p>First</text:p></text:list-item></text:list>`) + frame("title", "<text:p>Opening</text:p>") + frame("page-number", "<text:p>1</text:p>") +
		`<presentation:notes>` + frame("notes", "<text:p>Say hello.</text:p>") + `</presentation:notes></draw:page><draw:page><draw:custom-shape><text:p>Alone</text:p></draw:custom-shape></draw:page>`
	golden(t, "deck.odp", odfOf(t, "presentation", body))
}

// A sheet that claims to be full costs nothing, full of text or of nothing.
func TestODSRepeated(t *testing.T) {
	row := func(cell string) []byte {
		return odfOf(t, "spreadsheet", `<table:table table:name="S"><table:table-row table:number-rows-repeated="1048576">`+cell+`</table:table-row></table:table>`)
	}
	for _, cell := range []string{
		`<table:table-cell table:number-columns-repeated="16384"><text:p>x</text:p></table:table-cell>`,
		`<table:table-cell office:value-type="string" table:number-columns-repeated="99999999999"><text:p>x</text:p></table:table-cell>`,
		`<table:table-cell table:number-columns-repeated="3"><text:p>x</text:p></table:table-cell>`,
	} {
		content := row(cell)
		got := allocated(func() {
			_, err := extractBytes(t, "full.ods", content)
			fails(t, "limit:cells", err)
		})
		if got > 16<<20 {
			t.Errorf("%s cost %d bytes", cell, got)
		}
	}
}

func TestODFEncrypted(t *testing.T) {
	t.Parallel()
	content := odfOf(t, "text", `<text:p>x</text:p>`, zipped{"META-INF/manifest.xml", `<manifest><file-entry><encryption-data/></file-entry></manifest>`})
	_, err := extractBytes(t, "secret.odt", content)
	fails(t, "encrypted", err)
}

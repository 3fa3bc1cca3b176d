package extract

import "testing"

func sp(kind, paragraphs string) string {
	ph := ""
	if kind != "" {
		ph = `<p:nvPr><p:ph type="` + kind + `"/></p:nvPr>`
	}
	return `<p:sp><p:nvSpPr>` + ph + `</p:nvSpPr><p:txBody>` + paragraphs + `</p:txBody></p:sp>`
}

func ap(text string) string { return `<a:p><a:r><a:t>` + text + `</a:t></a:r></a:p>` }

func TestPPTX(t *testing.T) {
	t.Parallel()
	slide := func(s string) string {
		return `<p:sld ` + officeNS + `><p:cSld><p:spTree>` + s + `</p:spTree></p:cSld></p:sld>`
	}
	cell := func(attrs, text string) string {
		return `<a:tc` + attrs + `><a:txBody>` + ap(text) + `</a:txBody></a:tc>`
	}
	content := zipOf(t,
		zipped{"_rels/.rels", relsOf("officeDocument", "ppt/presentation.xml", "core-properties", "docProps/core.xml")},
		zipped{"docProps/core.xml", `<c xmlns:dc="urn:dc"><dc:title>Harbour deck</dc:title></c>`},
		// The order of slides is the presentation's, not that of their names.
		zipped{"ppt/presentation.xml", `<p:presentation ` + officeNS + `><p:sldIdLst><p:sldId id="256" r:id="rId2"/><p:sldId id="257" r:id="rId1"/></p:sldIdLst></p:presentation>`},
		zipped{"ppt/_rels/presentation.xml.rels", relsOf("slide", "slides/slide1.xml", "slide", "slides/slide2.xml")},
		zipped{"ppt/slides/slide1.xml", slide(sp("", ap("Without a title")) + `<p:graphicFrame><a:tbl><a:tr>` + cell("", "Berth") + cell("", "Depth") + `</a:tr><a:tr>` + cell(` rowSpan="2"`, "7") + cell("", "9 m") + `</a:tr><a:tr>` + cell(` vMerge="1"`, "") + cell("", "10 m") + `</a:tr></a:tbl></p:graphicFrame>` + sp("sldNum", ap("2")))},
		zipped{"ppt/slides/slide2.xml", slide(sp("body", ap("First")+`<a:p><a:pPr lvl="1"/><a:r><a:t>Inner </a:t></a:r><a:r><a:t>point</a:t></a:r></a:p>`) + sp("ctrTitle", ap("Opening")))},
		zipped{"ppt/slides/_rels/slide2.xml.rels", relsOf("notesSlide", "../notesSlides/notesSlide1.xml")},
		zipped{"ppt/notesSlides/notesSlide1.xml", slide(sp("sldImg", "") + sp("body", ap("Say hello.")) + sp("sldNum", ap("1")))},
	)
	golden(t, "deck.pptx", content)
}

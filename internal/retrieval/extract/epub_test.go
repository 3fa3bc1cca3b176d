package extract

import "testing"

func epubOf(tb testing.TB, more ...zipped) []byte {
	tb.Helper()
	members := []zipped{
		{"mimetype", "application/epub+zip"},
		{"META-INF/container.xml", `<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>`},
		{"OEBPS/book.opf", `<package xmlns:dc="urn:dc"><metadata><dc:title>The harbour</dc:title></metadata><manifest>` +
			`<item id="two" href="text/two%20.xhtml"/><item id="one" href="text/one.xhtml"/><item id="nav" properties="nav" href="nav.xhtml"/></manifest>` +
			`<spine><itemref idref="one"/><itemref idref="two"/><itemref idref="one"/><itemref idref="gone"/></spine></package>`},
		{"OEBPS/nav.xhtml", `<html><body><nav><ol><li><a href="text/one.xhtml#top">Chapter <b>one</b></a></li><li><a href="text/two%20.xhtml">Second</a></li></ol></nav></body></html>`},
		{"OEBPS/text/one.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body><p>Ships moor here.</p></body></html>`},
		{"OEBPS/text/two .xhtml", `<html><body><h1>Two</h1><p>Cranes lift there.</p></body></html>`},
	}
	return zipOf(tb, append(members, more...)...)
}

func TestEPUB(t *testing.T) {
	t.Parallel()
	golden(t, "harbour.epub", epubOf(t))
	_, err := extractBytes(t, "locked.epub", epubOf(t, zipped{"META-INF/encryption.xml", `<encryption><EncryptedData><CipherReference URI="OEBPS/text/one.xhtml"/></EncryptedData></encryption>`}))
	fails(t, "encrypted", err)
}

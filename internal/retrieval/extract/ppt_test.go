package extract

import (
	"strings"
	"testing"
)

// pptRecord is a record; version 15 is a container.
func pptRecord(version, instance, kind uint16, body string) string {
	return le16(version|instance<<4, kind) + le32(uint32(len(body))) + body
}

func pptOf(tb testing.TB) []byte {
	tb.Helper()
	text := func(header uint32, s string) string {
		return pptRecord(0, 0, pptHeader, le32(header)) + pptRecord(0, 0, pptNarrow, s)
	}
	list := pptRecord(0, 0, pptPersist, strings.Repeat("\x00", 20)) + text(0, "Opening") + text(1, "First\rSecond") +
		pptRecord(0, 0, pptPersist, strings.Repeat("\x00", 20)) + text(6, "Clos\x0bing") + pptRecord(0, 0, pptWide, utf16le("Конец")) + text(1, "*")
	slide := func(s string) string {
		return pptRecord(15, 0, pptSlide, pptRecord(15, 0, 0x040C, pptRecord(15, 0, 0xF00D, text(4, s))))
	}
	return cfbOf(tb, zipped{"PowerPoint Document", pptRecord(15, 0, 0x03E8, pptRecord(15, 1, pptList, text(0, "Master"))+pptRecord(15, 0, pptList, list)) +
		pptRecord(15, 0, pptMainMaster, text(4, "Click to edit")) + slide("A shape") + slide("Another") + pptRecord(15, 0, pptNotes, text(2, "a note"))})
}

func TestPPT(t *testing.T) {
	t.Parallel()
	golden(t, "deck.ppt", pptOf(t))
	deep := ""
	for range 300 {
		deep = pptRecord(15, 0, 0x03E8, deep)
	}
	_, err := extractBytes(t, "deep.ppt", cfbOf(t, zipped{"PowerPoint Document", deep}))
	fails(t, "limit:depth", err)
}

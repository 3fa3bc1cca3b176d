package extract

import (
	"encoding/binary"
	"strings"
	"testing"
)

// docOf makes a document of Word 97 of two pieces, the second in UTF-16.
func docOf(tb testing.TB, flags uint16, first, second string) []byte {
	tb.Helper()
	const head = 0x400
	main := make([]byte, head)
	binary.LittleEndian.PutUint16(main, 0xA5EC)
	binary.LittleEndian.PutUint16(main[0x0A:], flags)
	wide := utf16le(second)
	a, b := uint32(len(first)), uint32(len(wide)/2)
	binary.LittleEndian.PutUint32(main[0x4C:], a+b)
	clx := "\x01" + le16(2) + "xx" + "\x02" + le32(28) + le32(0) + le32(a) + le32(a+b) + le16(0) + le32(head*2|1<<30) + le16(0) + le16(0) + le32(head+a) + le16(0)
	binary.LittleEndian.PutUint32(main[0x1A2:], 4)
	binary.LittleEndian.PutUint32(main[0x1A6:], uint32(len(clx)))
	return cfbOf(tb, zipped{"WordDocument", string(main) + first + wide + strings.Repeat("\x00", 4096)}, zipped{"1Table", "abcd" + clx})
}

const docFirst = "Mooring\rShips moor at \x13 HYPERLINK \"x\" \x14berth 7\x15 \x96 always.\r" +
	"Berth\x07Depth\x07Crane\x07\x077\x07\x07yes\x07\x07" + "8\x079 m\rdeep\x07\x07\x07After.\r"

func TestDOC(t *testing.T) {
	t.Parallel()
	golden(t, "harbour.doc", docOf(t, 0x0200, docFirst, "Привет\x0bagain\x0c"))
	_, err := extractBytes(t, "locked.doc", docOf(t, 0x0300, docFirst, ""))
	fails(t, "encrypted", err)
	_, err = extractBytes(t, "notable.doc", docOf(t, 0, docFirst, ""))
	fails(t, "unsupported", err)
}

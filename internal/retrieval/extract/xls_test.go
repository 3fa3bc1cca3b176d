package extract

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// record is one record of BIFF8.
func record(kind uint16, body string) string {
	b := binary.LittleEndian.AppendUint16(nil, kind)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(body)))
	return string(b) + body
}

func le16(values ...uint16) string {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return string(b)
}

func le32(v uint32) string { return string(binary.LittleEndian.AppendUint32(nil, v)) }

func le64(v float64) string {
	return string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
}

// xlsOf makes a workbook of one sheet.
func xlsOf(tb testing.TB, cells string) []byte {
	tb.Helper()
	globals := func(at uint32) string {
		return record(recBOF, le16(0x600, 5)) + record(recFormat, le16(164)+le16(10)+"\x00"+`yyyy\-mm\-d`[:10]) +
			record(recXF, le16(0, 0)) + record(recXF, le16(0, 164)) + record(recXF, le16(0, 9)) +
			record(recBoundSheet, le32(at)+"\x00\x00"+"\x06\x00Berths") +
			// The third text runs on in the next record, wider than it began.
			record(recSST, le32(4)+le32(4)+le16(3)+"\x00Day"+le16(5)+"\x08"+le16(1)+"Berth"+"abcd"+le16(5)+"\x00Ca") + record(recContinue, "\x01"+utf16le("rgø")+le16(2)+"\x01"+utf16le("æø")) +
			record(recEOF, "")
	}
	at := uint32(len(globals(0)))
	sheet := record(recBOF, le16(0x600, 16)) + record(recBOF, le16(0x600, 32)) + record(recNumber, le16(0, 0, 0)+le64(99)) + record(recEOF, "") + cells + record(recEOF, "")
	return cfbOf(tb, zipped{"Workbook", globals(at) + sheet + strings.Repeat("\x00", 4096)})
}

func xlsCells() string {
	return record(recLabelSST, le16(0, 0, 0)+le32(0)) + record(recLabelSST, le16(0, 1, 0)+le32(1)) + record(recLabelSST, le16(0, 2, 0)+le32(2)) +
		record(recNumber, le16(1, 0, 1)+le64(45292)) + record(recMulRK, le16(1, 1)+le16(0)+le32(7<<2|2)+le16(2)+le32(25<<2|3)+le16(2)) +
		record(recFormula, le16(2, 0, 0)+"\x00\x00\x00\x00\x00\x00\xff\xff"+"rest") + record(recString, le16(4)+"\x00grab") + record(recFormula, le16(2, 1, 0)+le64(1.5)) +
		record(recBoolErr, le16(3, 0, 0)+"\x01\x00") + record(recBoolErr, le16(3, 1, 0)+"\x2a\x01") + record(recLabel, le16(3, 2, 0)+le16(3)+"\x00old") + record(recLabelSST, le16(4, 0, 0)+le32(99)) + record(recLabelSST, le16(5, 0, 0)+le32(3))
}

func TestXLS(t *testing.T) {
	t.Parallel()
	golden(t, "berths.xls", xlsOf(t, xlsCells()))
	_, err := extractBytes(t, "locked.xls", xlsOf(t, record(recFilePass, "xx")))
	fails(t, "encrypted", err)
	_, err = extractUnder(t, Limits{Cells: 5}, "big.xls", xlsOf(t, xlsCells()))
	fails(t, "limit:cells", err)
	_, err = extractBytes(t, "older.xls", cfbOf(t, zipped{"Book", "x"}, zipped{"Workbook2", "x"}))
	fails(t, "unsupported", err)
}

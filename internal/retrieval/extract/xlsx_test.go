package extract

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// xlsxOf makes a workbook of sheets, given as name and content of <worksheet>.
func xlsxOf(tb testing.TB, sheets [][2]string, more ...zipped) []byte {
	tb.Helper()
	var list, rels strings.Builder
	members := []zipped{{"_rels/.rels", relsOf("officeDocument", "xl/workbook.xml")}}
	for i, s := range sheets {
		fmt.Fprintf(&list, `<sheet name="%s" sheetId="%d" r:id="s%d"/>`, s[0], i+1, i)
		fmt.Fprintf(&rels, `<Relationship Id="s%d" Type="%sworksheet" Target="worksheets/sheet%d.xml"/>`, i, relType, i)
		members = append(members, zipped{fmt.Sprintf("xl/worksheets/sheet%d.xml", i), `<worksheet>` + s[1] + `</worksheet>`})
	}
	for _, kind := range []string{"styles", "sharedStrings"} {
		fmt.Fprintf(&rels, `<Relationship Id="%s" Type="%s%s" Target="/xl/%s.xml"/>`, kind, relType, kind, kind)
	}
	members = append(members,
		zipped{"xl/workbook.xml", `<workbook ` + officeNS + `><sheets>` + list.String() + `</sheets></workbook>`},
		zipped{"xl/_rels/workbook.xml.rels", `<Relationships>` + rels.String() + `</Relationships>`})
	return zipOf(tb, append(members, more...)...)
}

const xlsxStyles = `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="[$-409]d\-mmm\-yy;@"/><numFmt numFmtId="165" formatCode="&quot;day &quot;0"/></numFmts>` +
	`<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="10"/><xf numFmtId="22"/><xf numFmtId="46"/><xf numFmtId="165"/></cellXfs></styleSheet>`

const xlsxStrings = `<sst><si><t>Day</t></si><si><t>Berth</t></si><si><r><t>Car</t></r><r><t>go</t></r><rPh sb="0" eb="1"><t>spoken</t></rPh></si><si><t>Share</t></si></sst>`

const xlsxSheetData = `<dimension ref="B1:F9"/><sheetData>
<row r="1"><c r="B1" t="inlineStr"><is><t>Berths of the year</t></is></c></row>
<row r="3"><c r="B3" t="s"><v>0</v></c><c r="C3" t="s"><v>1</v></c><c r="D3" t="s"><v>2</v></c><c r="E3" t="s"><v>3</v></c></row>
<row r="4"><c r="B4" s="1"><v>45292</v></c><c r="C4"><v>7</v></c><c r="D4" t="str"><f>A1&amp;"x"</f><v>steel</v></c><c r="E4" s="3"><v>0.255</v></c></row>
<row r="5"><c r="B5" s="2"><v>45293.5</v></c><c r="D5" t="inlineStr"><is><t>grain
in bulk</t></is></c><c r="E5" s="3"><v>0.1</v></c></row>
<row r="6"><c r="B6" s="4"><v>45293.5625</v></c><c r="C6"><v>0.30000000000000004</v></c><c r="D6" t="b"><v>1</v></c><c r="E6" t="e"><v>#N/A</v></c><c r="F6"><f>NOW()</f></c></row>
<row r="7"><c r="B7" s="5"><v>1.5</v></c><c r="C7" s="6"><v>3</v></c></row>
</sheetData><mergeCells count="1"><mergeCell ref="C4:C5"/></mergeCells>`

func TestXLSX(t *testing.T) {
	t.Parallel()
	content := xlsxOf(t, [][2]string{{"Berths", xlsxSheetData}, {"Empty", `<sheetData/>`},
		{"Far &amp; wide", `<sheetData><row r="1"><c r="A1"><v>1</v></c><c r="XFD1"><v>2</v></c></row><row r="1048576"><c r="XFD1048576"><v>3</v></c></row></sheetData>`}},
		zipped{"xl/styles.xml", xlsxStyles}, zipped{"xl/sharedStrings.xml", xlsxStrings})
	golden(t, "berths.xlsx", content)
}

func TestCellRef(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string][2]int{"A1": {0, 0}, "Z9": {25, 8}, "AA10": {26, 9}, "xfd1048576": {16383, 1048575}} {
		if col, row, ok := cellRef(ref); !ok || col != want[0] || row != want[1] {
			t.Errorf("%s is %d, %d, %t", ref, col, row, ok)
		}
	}
	for _, ref := range []string{"", "A", "1", "A0", "XFE1", "A1048577", "AAAA1", "A99999999999999999999", "A-1", "$A$1"} {
		if _, _, ok := cellRef(ref); ok {
			t.Errorf("%q is a reference", ref)
		}
	}
}

func TestCellFormats(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]cellFormat{
		"General": plainNumber, "0.00": plainNumber, "0.00E+00": plainNumber, `#,##0 "days"`: plainNumber, `[Red]\d0`: plainNumber, "0%": percentNumber,
		"yyyy-mm-dd": dateNumber, "mmm yy": dateNumber, "mmmm": dateNumber, "h:mm AM/PM": timeNumber, "mm:ss": timeNumber, "[h]:mm": elapsedNumber,
		"d/m/yy h:mm": dateTimeNumber, "[$-F800]dddd, mmmm dd, yyyy": dateNumber, `yyyy"年"m"月"d"日"`: dateNumber, "[": plainNumber, `0;[Red]"y"`: plainNumber,
	} {
		if got := formatOf(code); got != want {
			t.Errorf("%s is format %d, want %d", code, got, want)
		}
	}
	for _, c := range []struct {
		f    cellFormat
		in   string
		from bool
		want string
	}{
		{dateNumber, "1", false, "1900-01-01"}, {dateNumber, "59", false, "1900-02-28"}, {dateNumber, "61", false, "1900-03-01"}, {dateNumber, "0", true, "1904-01-01"},
		{dateNumber, "-1", false, "-1"}, {dateNumber, "1e9", false, "1000000000"}, {timeNumber, "0.5", false, "12:00"}, {dateTimeNumber, "45000.999999", false, "2023-03-16"},
		{plainNumber, "1234567890123456789", false, "1234567890123460000"}, {plainNumber, "1e300", false, "1e+300"}, {plainNumber, "NaN", false, "NaN"}, {plainNumber, "x y", false, "x y"},
		{percentNumber, "0.07", false, "7%"}, {elapsedNumber, "2.0006944444", false, "48:01:00"},
	} {
		if got := c.f.number(c.in, c.from); got != c.want {
			t.Errorf("%s as format %d is %s, want %s", c.in, c.f, got, c.want)
		}
	}
}

// One cell in the last corner must not cost the sheet's area.
func TestXLSXFarCorner(t *testing.T) {
	content := xlsxOf(t, [][2]string{{"S", `<dimension ref="A1:XFD1048576"/><sheetData><row r="1048576"><c r="XFD1048576"><v>42</v></c></row></sheetData>`}})
	if len(content) > 2<<10 {
		t.Fatalf("the file has %d bytes", len(content))
	}
	p := New(Limits{}, Options{})
	defer p.Close()
	got := allocated(func() {
		d, err := extractUnder(t, Limits{}, "far.xlsx", content)
		if err != nil || !strings.Contains(d.Text, "42") || len(d.Text) > 100 {
			t.Errorf("read %v, %v", d, err)
		}
	})
	if got > 4<<20 {
		t.Errorf("a sheet of one cell cost %d bytes", got)
	}
}

// allocated gives how many bytes f allocates in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

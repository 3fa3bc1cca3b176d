package extract

import (
	"fmt"
	"strings"
	"testing"
)

// sheetXML is a sheet of rows with ten cells each.
func sheetXML(rows int) string {
	var b strings.Builder
	b.WriteString("<sheetData>")
	for r := 1; r <= rows; r++ {
		fmt.Fprintf(&b, `<row r="%d">`, r)
		for c := range 10 {
			fmt.Fprintf(&b, `<c r="%c%d" s="1"><v>%d.5</v></c>`, 'A'+c, r, r*31+c*7)
		}
		b.WriteString("</row>")
	}
	b.WriteString("</sheetData>")
	return b.String()
}

func BenchmarkXLSX(b *testing.B) {
	content := xlsxOf(b, [][2]string{{"S", sheetXML(10_000)}})
	b.ReportAllocs()
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := extractBytes(b, "a.xlsx", content); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDOCX(b *testing.B) {
	var body strings.Builder
	for i := range 40_000 {
		body.WriteString(wp("Body", fmt.Sprintf("Berth %d of the harbour opens at %d.", i*i%977, i*31%1013)))
	}
	content := docxOf(b, body.String())
	b.ReportAllocs()
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := extractBytes(b, "a.docx", content); err != nil {
			b.Fatal(err)
		}
	}
}

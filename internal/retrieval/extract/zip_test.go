package extract

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
)

func TestZIP(t *testing.T) {
	t.Parallel()
	docx := string(docxOf(t, wp("", "A document.")+`<w:p><w:r><w:lastRenderedPageBreak/><w:t>Page two.</w:t></w:r></w:p>`))
	content := zipOf(t,
		zipped{"papers/a.docx", docx}, zipped{"papers/readme.txt", "Read me."}, zipped{"__MACOSX/a", "x"}, zipped{"papers/tool.bin", "\x7fELF\x00"},
		zipped{"inner.zip", string(zipOf(t, zipped{"deep.txt", "Deep."}, zipped{"deeper.zip", string(zipOf(t, zipped{"deepest.txt", "Deepest."}))}))},
		zipped{"papers/readme.txt", "Another."}, zipped{"empty.txt", ""}, zipped{"folder/", ""},
		zipped{"cut.docx", docx[:len(docx)/2]})
	golden(t, "papers.zip", content)
}

// Names of members are only ever names.
func TestZIPNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"../../etc/passwd": "etc/passwd", "/etc/passwd": "etc/passwd", `C:\x\..\y.txt`: "y.txt", `..\..\y.txt`: "y.txt", "a/./b//c.txt": "a/b/c.txt",
		"a\x00b\u202egpj.txt": "abgpj.txt", "caf\xe9.txt": "cafΘ.txt",
	} {
		d, err := extractBytes(t, "a.zip", zipOf(t, zipped{name, "text"}))
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if got := d.Pages[0].Label; got != want {
			t.Errorf("%q is told as %q, want %q", name, got, want)
		}
	}
}

func TestZIPBombs(t *testing.T) {
	zeros := strings.Repeat("\x00", 4<<20)
	bomb := zipOf(t, zipped{"a.txt", zeros})
	nested := zipOf(t, zipped{"a.zip", string(bomb)}, zipped{"b.zip", string(bomb)})
	var many []zipped
	for range 2000 {
		many = append(many, zipped{"a.txt", ""})
	}
	for name, c := range map[string]struct {
		content []byte
		code    string
	}{
		"ratio":     {bomb, "limit:ratio"},
		"nested":    {nested, "limit:ratio"},
		"members":   {zipOf(t, many...), "limit:members"},
		"quoted":    {overlapping(t), "broken"},
		"truncated": {bomb[:len(bomb)-30], "broken"},
		"docx":      {docxOf(t, wp("", strings.Repeat("a", 4<<20))), "limit:ratio"},
		"encrypted": {flagged(zipOf(t, zipped{"a.txt", "secret"})), "encrypted"},
	} {
		got := allocated(func() {
			_, err := extractUnder(t, Limits{Members: 1000}, "a.zip", c.content)
			t.Run(name, func(t *testing.T) { fails(t, c.code, err) })
		})
		if got > 32<<20 {
			t.Errorf("%s cost %d bytes", name, got)
		}
	}
	_, err := extractUnder(t, Limits{Expand: 1 << 20, Ratio: 1 << 20}, "a.zip", bomb)
	fails(t, "limit:expand", err)
}

// flagged sets the bit of encryption in all headers.
func flagged(content []byte) []byte {
	for _, sig := range [...]struct {
		magic string
		at    int
	}{{"PK\x03\x04", 6}, {"PK\x01\x02", 8}} {
		for i := bytes.Index(content, []byte(sig.magic)); i >= 0; {
			content[i+sig.at] |= 1
			next := bytes.Index(content[i+4:], []byte(sig.magic))
			if next < 0 {
				break
			}
			i += 4 + next
		}
	}
	return content
}

// overlapping makes an archive whose members are all the same bytes.
func overlapping(tb testing.TB) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	text := []byte("kernel")
	f, err := w.CreateRaw(&zip.FileHeader{Name: "a.txt", CRC32: crc32.ChecksumIEEE(text), CompressedSize64: 6, UncompressedSize64: 6})
	if err == nil {
		_, err = f.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	content := b.Bytes()
	at := bytes.Index(content, []byte("PK\x01\x02"))
	end := bytes.Index(content, []byte("PK\x05\x06"))
	entry := content[at:end]
	out := append([]byte{}, content[:at]...)
	for range 100 {
		out = append(out, entry...)
	}
	tail := append([]byte{}, content[end:]...)
	binary.LittleEndian.PutUint16(tail[8:], 100)
	binary.LittleEndian.PutUint16(tail[10:], 100)
	binary.LittleEndian.PutUint32(tail[12:], uint32(100*len(entry)))
	return append(out, tail...)
}

package extract

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

// cfbEntry is an entry of the directory of a compound file.
type cfbEntry struct {
	name               string
	kind               byte // 1 a storage, 2 a stream, 5 the root
	right, child, from uint32
	size               uint32
}

const (
	cfbNone, cfbEnd       = 0xFFFFFFFF, 0xFFFFFFFE
	cfbSector, cfbMinimum = 512, 64
)

// cfbChains are contents in chains of sectors, and the table of the chains.
type cfbChains struct {
	unit int
	fat  []uint32
	data []byte
}

// add appends a content and gives its first sector.
func (c *cfbChains) add(content []byte) uint32 {
	first := len(c.data) / c.unit
	c.data = append(c.data, content...)
	c.data = append(c.data, make([]byte, (c.unit-len(content)%c.unit)%c.unit)...)
	for i := first + 1; i < len(c.data)/c.unit; i++ {
		c.fat = append(c.fat, uint32(i))
	}
	c.fat = append(c.fat, cfbEnd)
	return uint32(first)
}

// cfbWords are numbers, filled up to n of them or to whole sectors.
func cfbWords(w []uint32, n int) []byte {
	for len(w) < n || n == 0 && len(w)%(cfbSector/4) != 0 {
		w = append(w, cfbNone)
	}
	var b []byte
	for _, v := range w {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// cfbOf makes a compound file (version 3) of streams by their path.
func cfbOf(tb testing.TB, streams ...zipped) []byte {
	tb.Helper()
	entries := []cfbEntry{{name: "Root Entry", kind: 5, right: cfbNone, child: cfbNone, from: cfbEnd}}
	folders := map[string]int{"": 0}
	add := func(parent int, e cfbEntry) int {
		e.right, entries[parent].child = entries[parent].child, uint32(len(entries))
		entries = append(entries, e)
		return len(entries) - 1
	}
	sectors, mini := &cfbChains{unit: cfbSector}, &cfbChains{unit: cfbMinimum}
	for _, s := range streams {
		parent, path := 0, ""
		parts := strings.Split(s.name, "/")
		for _, dir := range parts[:len(parts)-1] {
			path += "/" + dir
			if _, ok := folders[path]; !ok {
				folders[path] = add(parent, cfbEntry{name: dir, kind: 1, child: cfbNone, from: cfbEnd})
			}
			parent = folders[path]
		}
		e := cfbEntry{name: parts[len(parts)-1], kind: 2, child: cfbNone, from: cfbEnd, size: uint32(len(s.text))}
		switch {
		case len(s.text) >= 4096:
			e.from = sectors.add([]byte(s.text))
		case len(s.text) > 0:
			e.from = mini.add([]byte(s.text))
		}
		add(parent, e)
	}
	miniFrom, miniSectors := uint32(cfbEnd), 0
	if len(mini.data) > 0 {
		entries[0].from, entries[0].size = sectors.add(mini.data), uint32(len(mini.data))
		b := cfbWords(mini.fat, 0)
		miniFrom, miniSectors = sectors.add(b), len(b)/cfbSector
	}
	var dir bytes.Buffer
	for _, e := range entries {
		dir.Write(cfbDirectory(e))
	}
	return cfbFile(sectors, sectors.add(dir.Bytes()), miniFrom, uint32(miniSectors))
}

// cfbFile puts a header before sectors, and the table of their chains behind.
func cfbFile(sectors *cfbChains, dirFrom, miniFrom, miniSectors uint32) []byte {
	fat, fatFrom, fatSectors := sectors.fat, uint32(len(sectors.data)/cfbSector), uint32(1)
	for uint32(len(fat))+fatSectors > fatSectors*cfbSector/4 {
		fatSectors++
	}
	var tables []uint32
	for i := range fatSectors {
		fat = append(fat, 0xFFFFFFFD)
		tables = append(tables, fatFrom+i)
	}
	header := make([]byte, 76)
	copy(header, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	for at, v := range map[int]uint16{24: 0x3e, 26: 3, 28: 0xfffe, 30: 9, 32: 6} {
		binary.LittleEndian.PutUint16(header[at:], v)
	}
	for at, v := range map[int]uint32{44: fatSectors, 48: dirFrom, 56: 4096, 60: miniFrom, 64: miniSectors, 68: cfbEnd} {
		binary.LittleEndian.PutUint32(header[at:], v)
	}
	return bytes.Join([][]byte{header, cfbWords(tables, 109), sectors.data, cfbWords(fat, 0)}, nil)
}

func cfbDirectory(e cfbEntry) []byte {
	b := make([]byte, 128)
	name := utf16.Encode([]rune(e.name))
	for i, c := range name {
		binary.LittleEndian.PutUint16(b[2*i:], c)
	}
	binary.LittleEndian.PutUint16(b[64:], uint16(2*len(name)+2))
	b[66], b[67] = e.kind, 1
	for at, v := range map[int]uint32{68: 0xFFFFFFFF, 72: e.right, 76: e.child, 116: e.from, 120: e.size} {
		binary.LittleEndian.PutUint32(b[at:], v)
	}
	return b
}

// utf16le is text as Windows keeps it.
func utf16le(s string) string {
	var b strings.Builder
	for _, c := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(c))
		b.WriteByte(byte(c >> 8))
	}
	return b.String()
}

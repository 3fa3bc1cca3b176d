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

// cfbOf makes a compound file (version 3) of streams by their path.
func cfbOf(tb testing.TB, streams ...zipped) []byte {
	tb.Helper()
	const none, end, sector, mini = 0xFFFFFFFF, 0xFFFFFFFE, 512, 64
	entries := []cfbEntry{{name: "Root Entry", kind: 5, right: none, child: none, from: end}}
	folders := map[string]int{"": 0}
	add := func(parent int, e cfbEntry) int {
		e.right, entries[parent].child = entries[parent].child, uint32(len(entries))
		entries = append(entries, e)
		return len(entries) - 1
	}
	var fat, miniFAT []uint32
	var data, miniData []byte
	chain := func(fat *[]uint32, data *[]byte, content []byte, unit int) uint32 {
		first := len(*data) / unit
		*data = append(*data, content...)
		*data = append(*data, make([]byte, (unit-len(content)%unit)%unit)...)
		for i := first + 1; i < len(*data)/unit; i++ {
			*fat = append(*fat, uint32(i))
		}
		*fat = append(*fat, end)
		return uint32(first)
	}
	for _, s := range streams {
		parent, path := 0, ""
		parts := strings.Split(s.name, "/")
		for _, dir := range parts[:len(parts)-1] {
			path += "/" + dir
			if _, ok := folders[path]; !ok {
				folders[path] = add(parent, cfbEntry{name: dir, kind: 1, child: none, from: end})
			}
			parent = folders[path]
		}
		e := cfbEntry{name: parts[len(parts)-1], kind: 2, child: none, from: end, size: uint32(len(s.text))}
		switch {
		case len(s.text) >= 4096:
			e.from = chain(&fat, &data, []byte(s.text), sector)
		case len(s.text) > 0:
			e.from = chain(&miniFAT, &miniData, []byte(s.text), mini)
		}
		add(parent, e)
	}
	words := func(w []uint32) []byte {
		for len(w)%(sector/4) != 0 {
			w = append(w, none)
		}
		b, err := binary.Append(nil, binary.LittleEndian, w)
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
	miniFrom, miniSectors := uint32(end), 0
	if len(miniData) > 0 {
		entries[0].from, entries[0].size = chain(&fat, &data, miniData, sector), uint32(len(miniData))
		b := words(miniFAT)
		miniFrom, miniSectors = chain(&fat, &data, b, sector), len(b)/sector
	}
	var dir bytes.Buffer
	for _, e := range entries {
		dir.Write(cfbDirectory(e))
	}
	dirFrom := chain(&fat, &data, dir.Bytes(), sector)
	fatFrom := uint32(len(data) / sector)
	fatSectors := uint32(1)
	for uint32(len(fat))+fatSectors > fatSectors*sector/4 {
		fatSectors++
	}
	for range fatSectors {
		fat = append(fat, 0xFFFFFFFD)
	}
	head := make([]uint32, 0, 109)
	for i := range fatSectors {
		head = append(head, fatFrom+i)
	}
	for len(head) < 109 {
		head = append(head, none)
	}
	header := make([]byte, 76)
	copy(header, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	binary.LittleEndian.PutUint16(header[24:], 0x3e)
	binary.LittleEndian.PutUint16(header[26:], 3)
	binary.LittleEndian.PutUint16(header[28:], 0xfffe)
	binary.LittleEndian.PutUint16(header[30:], 9)
	binary.LittleEndian.PutUint16(header[32:], 6)
	for at, v := range map[int]uint32{44: fatSectors, 48: dirFrom, 56: 4096, 60: miniFrom, 64: uint32(miniSectors), 68: end} {
		binary.LittleEndian.PutUint32(header[at:], v)
	}
	headWords, err := binary.Append(nil, binary.LittleEndian, head)
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.Join([][]byte{header, headWords, data, words(fat)}, nil)
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

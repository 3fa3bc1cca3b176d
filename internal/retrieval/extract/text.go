package extract

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"

	"portico/internal/retrieval/document"
)

// text reads a whole file as text in whatever encoding it is: what a byte
// order mark says, UTF-16 by its zeros, UTF-8 where it is valid, else declared
// (of the media type, "" for none), else windows-1252, in which every byte is
// something.
func (in *Input) text(lim *Limits, declared string) (string, error) {
	if in.Size > 4*lim.Text {
		return "", overLimit("text", "This file holds more than %d MiB of text, which is the limit.", lim.Text>>20)
	}
	raw := make([]byte, in.Size)
	if n, err := in.Content.ReadAt(raw, 0); err != nil && (err != io.EOF || int64(n) < in.Size) {
		return "", err
	}
	return decode(raw, declared), nil
}

// decode gives raw as UTF-8. Bytes that no encoding explains become U+FFFD.
func decode(raw []byte, declared string) string {
	switch kind := wide(raw); kind {
	case "":
	case "utf-8":
		return strings.ToValidUTF8(string(raw[3:]), "\ufffd")
	default:
		return decodeWide(raw, kind)
	}
	if utf8.Valid(raw) {
		return string(raw)
	}
	enc, name := charset.Lookup(declared)
	if enc == nil || name == "utf-8" || name == "replacement" {
		if mostlyUTF8(raw) {
			return strings.ToValidUTF8(string(raw), "\ufffd")
		}
		enc = charmap.Windows1252
	}
	return convert(raw, enc)
}

func convert(raw []byte, enc encoding.Encoding) string {
	out, err := enc.NewDecoder().Bytes(raw)
	if err != nil {
		return strings.ToValidUTF8(string(raw), "\ufffd")
	}
	return string(out)
}

// mostlyUTF8 reports whether bad bytes are so few among good sequences that
// the text is UTF-8 with faults and nothing else.
func mostlyUTF8(raw []byte) bool {
	good, bad := 0, 0
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		raw = raw[n:]
	}
	return good > 10*bad
}

// wide names the encoding of text whose beginning shows it by a byte order
// mark, or by the zeros in the Latin text of UTF-16; "" is neither.
func wide(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return "utf-8"
	case bytes.HasPrefix(b, []byte("\xff\xfe\x00\x00")):
		return "utf-32le"
	case bytes.HasPrefix(b, []byte("\x00\x00\xfe\xff")):
		return "utf-32be"
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return "utf-16le"
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return "utf-16be"
	}
	b = b[:min(len(b), 1024)&^1]
	var zero [2]int
	for i, c := range b {
		if c == 0 {
			zero[i&1]++
		}
	}
	switch half := len(b) / 2; {
	case len(b) < 8:
		return ""
	case zero[0] == 0 && zero[1] > half*6/10:
		return "utf-16le"
	case zero[1] == 0 && zero[0] > half*6/10:
		return "utf-16be"
	}
	return ""
}

func decodeWide(raw []byte, kind string) string {
	var order binary.ByteOrder = binary.LittleEndian
	if strings.HasSuffix(kind, "be") {
		order = binary.BigEndian
	}
	var out strings.Builder
	out.Grow(len(raw))
	if strings.HasPrefix(kind, "utf-32") {
		for ; len(raw) >= 4; raw = raw[4:] {
			out.WriteRune(rune(order.Uint32(raw))) // what is no rune becomes U+FFFD
		}
		return strings.TrimPrefix(out.String(), "\ufeff")
	}
	for len(raw) >= 2 {
		r := rune(order.Uint16(raw))
		raw = raw[2:]
		if utf16.IsSurrogate(r) && len(raw) >= 2 {
			if both := utf16.DecodeRune(r, rune(order.Uint16(raw))); both != utf8.RuneError {
				r, raw = both, raw[2:]
			}
		}
		out.WriteRune(r)
	}
	return strings.TrimPrefix(out.String(), "\ufeff")
}

// readText takes plain text as it is.
func readText(_ context.Context, in *Input, lim *Limits) (*document.Document, error) {
	s, err := in.text(lim, in.charset())
	if err != nil {
		return nil, err
	}
	b := newBuilder(lim)
	b.write(s)
	return b.done()
}

// readCode takes source code as it is. Its blocks are what begins at the left
// margin after an empty line: functions, types, sections.
func readCode(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	d, err := readText(ctx, in, lim)
	if err != nil {
		return nil, err
	}
	d.Solid = codeBlocks(d.Text)
	return d, nil
}

// minBlock keeps runs of short blocks, such as constants, together.
const minBlock = 200

func codeBlocks(text string) []document.Span {
	var blocks []document.Span
	start, empty := 0, true
	for at := 0; at < len(text); {
		end := len(text)
		if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		line := text[at:end]
		blank := strings.TrimSpace(line) == ""
		margin := !blank && line[0] != ' ' && line[0] != '\t' && !strings.ContainsRune("})]", rune(line[0]))
		if margin && empty && at-start >= minBlock {
			blocks = append(blocks, document.Span{Start: start, End: at})
			start = at
		}
		empty, at = blank, end
	}
	if len(strings.TrimSpace(text[start:])) > 0 {
		blocks = append(blocks, document.Span{Start: start, End: len(text)})
	}
	return blocks
}

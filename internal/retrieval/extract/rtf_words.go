package extract

import (
	"io"
	"slices"
	"strings"
	stdunicode "unicode"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

// codepages are the encodings by their Windows numbers.
var codepages = map[int]encoding.Encoding{
	437: charmap.CodePage437, 850: charmap.CodePage850, 852: charmap.CodePage852, 855: charmap.CodePage855, 858: charmap.CodePage858,
	860: charmap.CodePage860, 862: charmap.CodePage862, 863: charmap.CodePage863, 865: charmap.CodePage865, 866: charmap.CodePage866,
	874: charmap.Windows874, 932: japanese.ShiftJIS, 936: simplifiedchinese.GBK, 949: korean.EUCKR, 950: traditionalchinese.Big5,
	1200: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
	1250: charmap.Windows1250, 1251: charmap.Windows1251, 1252: charmap.Windows1252, 1253: charmap.Windows1253, 1254: charmap.Windows1254,
	1255: charmap.Windows1255, 1256: charmap.Windows1256, 1257: charmap.Windows1257, 1258: charmap.Windows1258,
	10000: charmap.Macintosh, 10007: charmap.MacintoshCyrillic, 20866: charmap.KOI8R, 21866: charmap.KOI8U, 20932: japanese.EUCJP,
	28591: charmap.ISO8859_1, 28592: charmap.ISO8859_2, 28595: charmap.ISO8859_5, 28597: charmap.ISO8859_7, 28599: charmap.ISO8859_9, 28605: charmap.ISO8859_15,
	50220: japanese.ISO2022JP, 51932: japanese.EUCJP, 51949: korean.EUCKR, 54936: simplifiedchinese.GB18030, 65001: unicode.UTF8,
}

// rtfCharsets are codepages by the number of \fcharset.
var rtfCharsets = map[int]int{
	77: 10000, 128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250, 254: 437,
}

// rtfSymbols are control words that are characters.
var rtfSymbols = map[string]string{
	"tab": "\t", "line": "\n", "lbr": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
	"bullet": "•", "emspace": " ", "enspace": " ", "qmspace": " ", "zwnj": "\u200c", "zwj": "\u200d", "softline": "\n",
}

// word takes a control word with its number, if it has one.
func (x *rtf) word(word string, n int, has bool) error {
	if into, ok := rtfDestinations[word]; ok {
		x.flush()
		if x.group.before = x.group.into; x.group.into != rtfNowhere {
			x.group.into = into
		}
		return nil
	}
	if s, ok := rtfSymbols[word]; ok {
		x.flush()
		x.write(s)
		return nil
	}
	on := !has || n != 0
	switch word {
	case "u":
		x.unicode(n)
	case "uc":
		x.group.uc = min(max(n, 0), 16)
	case "bin":
		return x.binary(n)
	case "ud":
		x.group.into = x.group.before
	case "listtext", "pntext":
		x.item = x.item || x.visible()
	case "v", "deleted":
		x.flush()
		x.group.hidden = on
	case "plain":
		x.flush()
		x.group.hidden = false
	case "par", "sect", "page":
		x.flush()
		x.endParagraph()
	case "cell", "nestcell":
		x.flush()
		x.cell(word == "nestcell")
	case "row":
		x.flush()
		x.row()
	case "intbl":
		x.inRow = true
	case "pard":
		x.flush()
		x.inRow, x.level = false, 0
	case "outlinelevel":
		if n >= 0 && n < 9 {
			x.level = n + 1
		}
	default:
		x.fontOrStyle(word, n)
	}
	return nil
}

// fontOrStyle takes the control words of tables of fonts and styles and of
// their use.
func (x *rtf) fontOrStyle(word string, n int) {
	switch word {
	case "ansicpg":
		x.codepage = n
	case "mac":
		x.codepage = 10000
	case "pc":
		x.codepage = 437
	case "pca":
		x.codepage = 850
	case "deff":
		x.group.font = n
	case "f":
		x.flush()
		if x.group.into == rtfFonts {
			x.font = n
		} else {
			x.group.font = n
		}
	case "fcharset":
		if x.group.into == rtfFonts && len(x.fonts) < 1<<16 {
			x.fonts[x.font] = rtfCharsets[n]
		}
	case "cpg":
		if x.group.into == rtfFonts && len(x.fonts) < 1<<16 {
			x.fonts[x.font] = n
		}
	case "s":
		if x.group.into == rtfStyles {
			x.style = n
		} else {
			x.level = x.styles[n]
		}
	}
}

// binary passes over the bytes of \bin.
func (x *rtf) binary(n int) error {
	x.flush()
	if n <= 0 {
		return nil
	}
	if _, err := io.CopyN(io.Discard, x.r, int64(n)); err != nil {
		return io.EOF
	}
	return nil
}

// visible reports whether paragraphs and cells of the group in hand count.
func (x *rtf) visible() bool { return x.group.into == rtfText }

// endParagraph ends a paragraph where the text says so: in a cell it is a
// space.
func (x *rtf) endParagraph() {
	switch {
	case x.inRow || !x.visible():
		x.write(" ")
	default:
		x.paragraph()
	}
}

// paragraph appends the paragraph in hand.
func (x *rtf) paragraph() {
	if !x.visible() {
		return
	}
	text, item, notes := strings.TrimSpace(x.text.String()), x.item, x.notes
	x.text.Reset()
	x.item, x.notes = false, nil
	if text == "" && len(notes) == 0 {
		return
	}
	x.row()
	x.table.end()
	x.table = tableRows{b: x.b}
	switch marker, rest, ok := strings.Cut(text, "\t"); {
	case x.level > 0:
		x.b.heading(x.level, text)
	case item && ok && strings.TrimSpace(rest) != "":
		if !strings.ContainsFunc(marker, func(r rune) bool { return stdunicode.IsLetter(r) || stdunicode.IsDigit(r) }) {
			marker = "-"
		}
		x.b.line()
		x.b.write(marker + " " + strings.TrimSpace(rest) + "\n")
	default:
		x.b.paragraph(text)
	}
	for _, note := range notes {
		x.b.paragraph(note)
	}
}

// endAside ends a header, a footer, a note or the text of a shape.
func (x *rtf) endAside(what rtfInto) {
	text := oneLine(x.aside.String())
	x.aside.Reset()
	switch {
	case text == "":
	case what == rtfNote:
		x.notes = append(x.notes, text)
	case len(x.margins) < maxMargins && !slices.Contains(x.margins, text):
		x.margins = append(x.margins, text)
		x.b.paragraph(text)
	}
}

// cell ends a cell; that of a table within a cell is a part of it.
func (x *rtf) cell(nested bool) {
	switch {
	case nested || !x.visible():
		x.write(" ")
	case len(x.cells) < maxColumns:
		x.cells = append(x.cells, oneLine(x.text.String()))
		fallthrough
	default:
		x.text.Reset()
	}
}

// row ends a row of a table.
func (x *rtf) row() {
	if x.visible() && len(x.cells) > 0 {
		x.table.add(x.cells)
		x.cells = nil
	}
}

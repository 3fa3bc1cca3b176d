package extract

import (
	"bufio"
	"context"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding"

	"portico/internal/retrieval/document"
)

func readRTF(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	b := newBuilder(lim)
	if err := parseRTF(ctx, bufio.NewReaderSize(io.NewSectionReader(in.Content, 0, in.Size), 64<<10), b, lim); err != nil {
		return nil, err
	}
	return b.done()
}

// rtf reads Rich Text Format (specification 1.9.1) as a stream of groups,
// control words and text.
type rtf struct {
	r     *bufio.Reader
	b     *builder
	lim   *Limits
	group rtfGroup
	outer []rtfGroup // the groups around it

	codepage int             // of the document
	fonts    map[int]int     // codepage by font, 0 for the document's
	styles   map[int]int     // level of heading by style
	font     int             // that is being defined
	style    int             // that is being defined
	name     strings.Builder // of the style, or the title

	raw   []byte          // text of a codepage not decoded yet
	high  rune            // first half of a surrogate pair
	skip  int             // characters that stand for the \u before
	text  strings.Builder // of the paragraph or cell in hand
	cells []string        // of the row in hand
	table tableRows
	inRow bool // the paragraph is in a table
	level int  // of heading of the paragraph, 0 for none
	item  bool // the paragraph is an item of a list

	aside   strings.Builder // what stands beside the text: a header, a note
	margins []string        // headers and footers that came
	notes   []string        // of the paragraph in hand
}

// rtfGroup is what holds to the end of a group.
type rtfGroup struct {
	into   rtfInto
	before rtfInto // of a \upr, whose second form is read
	uc     int     // characters that stand for a \u
	font   int
	hidden bool
}

// rtfInto is where the text of a group goes.
type rtfInto uint8

const (
	rtfText rtfInto = iota
	rtfNowhere
	rtfFonts
	rtfStyles
	rtfTitle
	rtfMargin
	rtfNote
)

// rtfDestinations are groups whose text is not the document's. Groups that
// begin with \* and are not known go nowhere, too.
var rtfDestinations = map[string]rtfInto{
	"fonttbl": rtfFonts, "stylesheet": rtfStyles, "title": rtfTitle,
	"colortbl": rtfNowhere, "pict": rtfNowhere, "objdata": rtfNowhere, "fldinst": rtfNowhere, "nonshppict": rtfNowhere,
	"author": rtfNowhere, "operator": rtfNowhere, "subject": rtfNowhere, "company": rtfNowhere, "manager": rtfNowhere, "category": rtfNowhere,
	"keywords": rtfNowhere, "comment": rtfNowhere, "doccomm": rtfNowhere, "hlinkbase": rtfNowhere, "creatim": rtfNowhere, "revtim": rtfNowhere,
	"printim": rtfNowhere, "buptim": rtfNowhere, "template": rtfNowhere, "generator": rtfNowhere, "userprops": rtfNowhere,
	"xe": rtfNowhere, "tc": rtfNowhere, "sp": rtfNowhere, "listtable": rtfNowhere, "listoverridetable": rtfNowhere, "revtbl": rtfNowhere,
	"annotation": rtfNowhere, "atnid": rtfNowhere, "atnauthor": rtfNowhere, "filetbl": rtfNowhere, "themedata": rtfNowhere, "datastore": rtfNowhere,
	"ftnsep": rtfNowhere, "ftnsepc": rtfNowhere, "aftnsep": rtfNowhere, "aftnsepc": rtfNowhere, "bkmkstart": rtfNowhere, "bkmkend": rtfNowhere,
	"nonesttables": rtfNowhere, "upr": rtfNowhere,
	"header": rtfMargin, "headerf": rtfMargin, "headerl": rtfMargin, "headerr": rtfMargin,
	"footer": rtfMargin, "footerf": rtfMargin, "footerl": rtfMargin, "footerr": rtfMargin,
	"footnote": rtfNote, "shptxt": rtfNote,
}

// parseRTF appends what r holds to b. A file that is cut off gives what came.
func parseRTF(ctx context.Context, r *bufio.Reader, b *builder, lim *Limits) error {
	x := &rtf{r: r, b: b, lim: lim, codepage: 1252, fonts: map[int]int{}, styles: map[int]int{}, table: tableRows{b: b}}
	x.group.uc = 1
	if head, _ := r.Peek(5); string(head) != "{\\rtf" {
		return broken("RTF document", nil)
	}
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		err := x.step()
		if err == nil {
			err = b.err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if len(x.outer) > 0 {
		b.warn("This document is cut off; what came before was read.")
	}
	x.flush()
	x.group.into = rtfText
	x.paragraph()
	x.row()
	x.table.end()
	return b.err
}

// step reads one token. io.EOF ends the document.
func (x *rtf) step() error {
	c, err := x.r.ReadByte()
	if err != nil {
		return io.EOF
	}
	switch c {
	case '{':
		x.flush()
		if len(x.outer) >= x.lim.Depth {
			return overLimit("depth", "This file nests groups more than %d deep.", x.lim.Depth)
		}
		x.outer = append(x.outer, x.group)
		x.skip = 0
	case '}':
		x.flush()
		x.endGroup()
		if len(x.outer) == 0 {
			return io.EOF
		}
	case '\\':
		return x.control()
	case '\r', '\n', 0:
	default:
		x.char(c)
	}
	return nil
}

// endGroup goes back to the group around.
func (x *rtf) endGroup() {
	if len(x.outer) == 0 {
		return
	}
	outer := x.outer[len(x.outer)-1]
	x.outer = x.outer[:len(x.outer)-1]
	switch was := x.group.into; {
	case was == rtfStyles:
		if level := styleLevel(strings.TrimSuffix(x.name.String(), ";")); level > 0 {
			x.styles[x.style] = level
		}
		x.name.Reset()
		x.style = 0
	case was == outer.into:
	case was == rtfTitle:
		x.b.title(x.name.String())
		x.name.Reset()
	case was == rtfMargin || was == rtfNote:
		x.endAside(was)
	}
	x.group = outer
	x.skip = 0
}

// char takes a byte of text in the codepage of its font.
func (x *rtf) char(c byte) {
	if x.skip > 0 {
		x.skip--
		return
	}
	if x.group.into == rtfNowhere || x.group.into == rtfFonts || x.group.hidden {
		return
	}
	x.raw = append(x.raw, c)
	if len(x.raw) >= 4096 && c < 0x80 {
		x.flush()
	}
}

// flush decodes the bytes of text that came since.
func (x *rtf) flush() {
	if len(x.raw) == 0 {
		return
	}
	cp := x.codepage
	if f := x.fonts[x.group.font]; f != 0 {
		cp = f
	}
	s := string(x.raw)
	if e := codepage(cp); e != nil && !ascii(x.raw) {
		s, _ = e.NewDecoder().String(s)
	}
	x.raw = x.raw[:0]
	x.write(s)
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// codepage gives the encoding of a Windows codepage, nil for none that is
// known.
func codepage(n int) encoding.Encoding { return codepages[n] }

// write takes text.
func (x *rtf) write(s string) {
	switch {
	case x.group.hidden || x.group.into == rtfNowhere || x.group.into == rtfFonts:
	case x.group.into == rtfTitle || x.group.into == rtfStyles:
		if x.name.Len() < 4096 {
			x.name.WriteString(s)
		}
	case x.group.into == rtfMargin || x.group.into == rtfNote:
		if x.aside.Len() < maxToken {
			x.aside.WriteString(s)
		}
	case x.text.Len()+len(s) > maxToken:
		x.b.err = overLimit("memory", "This document has a paragraph of more than %d MiB, which is the limit.", maxToken>>20)
	default:
		x.text.WriteString(s)
	}
}

// unicode takes the number of a \u: half a pair, or a character.
func (x *rtf) unicode(n int) {
	x.flush()
	x.skip = x.group.uc
	r := rune(uint16(n))
	switch {
	case n > 0xffff:
		r = rune(n)
	case utf16.IsSurrogate(r) && x.high == 0:
		x.high = r
		return
	case x.high != 0:
		r = utf16.DecodeRune(x.high, r)
	}
	x.high = 0
	x.write(string(r))
}

// control reads what follows a backslash.
func (x *rtf) control() error {
	c, err := x.r.ReadByte()
	if err != nil {
		return io.EOF
	}
	if c|0x20 < 'a' || c|0x20 > 'z' {
		return x.symbol(c)
	}
	const longest = 32 // letters that a control word may have
	word := append(make([]byte, 0, longest), c)
	number := make([]byte, 0, 12)
	for {
		c, err = x.r.ReadByte()
		if err != nil {
			break
		}
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			if len(number) > 0 || len(word) >= longest {
				_ = x.r.UnreadByte()
			} else {
				word = append(word, c)
				continue
			}
		case (c >= '0' && c <= '9' || c == '-' && len(number) == 0) && len(number) < 11:
			number = append(number, c)
			continue
		case c != ' ':
			_ = x.r.UnreadByte()
		}
		break
	}
	n, err := strconv.Atoi(string(number))
	return x.word(string(word), n, err == nil)
}

// symbol takes a control of one character.
func (x *rtf) symbol(c byte) error {
	switch c {
	case '\'':
		var hex [2]byte
		if _, err := io.ReadFull(x.r, hex[:]); err != nil {
			return io.EOF
		}
		if v, err := strconv.ParseUint(string(hex[:]), 16, 8); err == nil {
			x.char(byte(v))
		}
	case '\\', '{', '}':
		x.char(c)
	case '*':
		return x.star()
	case '~':
		x.flush()
		x.write("\u00a0")
	case '_':
		x.char('-')
	case '\r', '\n':
		x.flush()
		x.paragraph()
	}
	return nil
}

// star reads \*\word: a destination that old readers may leave out, and this
// one does unless it knows it.
func (x *rtf) star() error {
	head, _ := x.r.Peek(9)
	for _, known := range [...]string{`\shpinst`, `\ud`, `\shptxt`} {
		if strings.HasPrefix(string(head), known) {
			return nil
		}
	}
	x.flush()
	x.group.into = rtfNowhere
	return nil
}

package extract

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"portico/internal/retrieval/document"
)

// doc reads the text of a document of Word 97 to 2003 ([MS-DOC]): paragraphs,
// notes, and tables as far as the marks in the text tell them. Styles are not
// read, so that headings are paragraphs.
type doc struct {
	ctx   context.Context
	b     *builder
	text  []uint16 // of the paragraph or cell in hand
	cells []string
	wide  int // cells of the rows of the table in hand, 0 if not known yet
	rows  tableRows
	field []bool // of each open field, whether what is read is its result
}

func readDOC(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	c, err := openCompound(in, lim)
	if err != nil {
		return nil, err
	}
	main, err := c.stream("WordDocument", maxInner)
	if err != nil {
		return nil, oldWord(err)
	}
	const identity, flags, lengths, clx, head = 0xA5EC, 0x0A, 0x4C, 0x1A2, 0x1AA
	if len(main) < head || binary.LittleEndian.Uint16(main) != identity {
		return nil, oldWord(errNoStream)
	}
	f := binary.LittleEndian.Uint16(main[flags:])
	if f&0x0100 != 0 {
		return nil, &Error{Code: "encrypted", Detail: "This document is protected by a password. Save it without one and upload it again."}
	}
	name := "0Table"
	if f&0x0200 != 0 {
		name = "1Table"
	}
	table, err := c.stream(name, maxInner)
	if err != nil {
		return nil, oldWord(err)
	}
	at, size := binary.LittleEndian.Uint32(main[clx:]), binary.LittleEndian.Uint32(main[clx+4:])
	if uint64(at)+uint64(size) > uint64(len(table)) {
		return nil, broken("Word document", errors.New("pieces beyond the end"))
	}
	d := &doc{ctx: ctx, b: newBuilder(lim)}
	d.rows.b = d.b
	// The body is followed by the notes; then come headers and remarks.
	body := binary.LittleEndian.Uint32(main[lengths:])
	notes := binary.LittleEndian.Uint32(main[lengths+4:])
	if err := d.pieces(main, table[at:at+size], uint64(body)+uint64(notes)); err != nil {
		return nil, err
	}
	d.paragraph()
	d.endTable()
	return d.b.done()
}

func oldWord(err error) error {
	if errors.Is(err, errNoStream) {
		return &Error{Code: "unsupported", Detail: "Documents of Word before 97 cannot be read. Save it as .docx and upload it again."}
	}
	return err
}

// pieces reads the table of pieces: where in the stream the text lies, run by
// run, in one byte per character or in two.
func (d *doc) pieces(main, clx []byte, most uint64) error {
	const properties, pieces, entry = 1, 2, 8
	for len(clx) >= 3 && clx[0] == properties {
		n := 3 + int(binary.LittleEndian.Uint16(clx[1:]))
		if n > len(clx) {
			break
		}
		clx = clx[n:]
	}
	if len(clx) < 5 || clx[0] != pieces {
		return broken("Word document", errors.New("no table of pieces"))
	}
	clx = clx[5:]
	n := (len(clx) - 4) / (4 + entry)
	for i := range n {
		from, to := uint64(binary.LittleEndian.Uint32(clx[4*i:])), uint64(binary.LittleEndian.Uint32(clx[4*i+4:]))
		at := uint64(binary.LittleEndian.Uint32(clx[4*(n+1)+entry*i+2:]))
		if to = min(to, most); from >= to {
			break // rising, and no further than the notes
		}
		width := uint64(2)
		if at&(1<<30) != 0 {
			width, at = 1, at&(1<<30-1)/2
		}
		end := at + (to-from)*width
		if at > uint64(len(main)) || end > uint64(len(main)) {
			return broken("Word document", errors.New("a piece beyond the end"))
		}
		if err := d.run(main[at:end], width == 1); err != nil {
			return err
		}
	}
	return nil
}

// run reads the characters of a piece.
func (d *doc) run(b []byte, narrow bool) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	if narrow {
		for _, c := range b {
			d.char(uint16(charmap.Windows1252.DecodeByte(c)))
		}
		return d.b.err
	}
	for i := 0; i+1 < len(b); i += 2 {
		d.char(binary.LittleEndian.Uint16(b[i:]))
	}
	return d.b.err
}

// char takes a character: those below a space are marks.
func (d *doc) char(c uint16) {
	const maxFields = 64
	switch c {
	case 0x13: // a field begins with its instruction
		if len(d.field) < maxFields {
			d.field = append(d.field, false)
		}
		return
	case 0x14: // its result
		if len(d.field) > 0 {
			d.field[len(d.field)-1] = true
		}
		return
	case 0x15:
		if len(d.field) > 0 {
			d.field = d.field[:len(d.field)-1]
		}
		return
	}
	for _, result := range d.field {
		if !result {
			return
		}
	}
	switch {
	case c == 0x07:
		d.cell()
	case c == '\r' || c == 0x0C:
		d.paragraph()
	case c == 0x0B:
		d.text = append(d.text, '\n')
	case c == 0x1E:
		d.text = append(d.text, '-')
	case c >= ' ' || c == '\t':
		d.text = append(d.text, c)
	}
	if len(d.text) > maxToken {
		d.b.err = overLimit("memory", "This document has a paragraph of more than %d million characters, which is the limit.", maxToken>>20)
	}
}

// take gives the text in hand.
func (d *doc) take() string {
	s := string(utf16.Decode(d.text))
	d.text = d.text[:0]
	return s
}

// paragraph ends a paragraph; within a row it is a part of a cell.
func (d *doc) paragraph() {
	if len(d.cells) > 0 {
		d.text = append(d.text, ' ')
		return
	}
	if s := d.take(); strings.TrimSpace(s) != "" {
		d.endTable()
		d.b.paragraph(s)
	}
}

// cell ends a cell, or a row: that has a mark like a cell's, with nothing
// before it. How many cells come before it tells the first row, so that empty
// cells of later ones are not taken for it.
func (d *doc) cell() {
	s := oneLine(d.take())
	switch {
	case s == "" && len(d.cells) > 0 && (d.wide == 0 || len(d.cells) >= d.wide):
		d.wide = len(d.cells)
		d.rows.add(d.cells)
		d.cells = nil
	case len(d.cells) < maxColumns:
		d.cells = append(d.cells, s)
	}
}

func (d *doc) endTable() {
	if len(d.cells) > 0 {
		d.rows.add(d.cells)
		d.cells = nil
	}
	d.rows.end()
	d.rows, d.wide = tableRows{b: d.b}, 0
}

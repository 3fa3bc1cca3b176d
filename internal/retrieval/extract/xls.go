package extract

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"

	"portico/internal/retrieval/document"
)

// The records of BIFF8 that are read ([MS-XLS] 2.4).
const (
	recFormula    = 0x0006
	recEOF        = 0x000A
	recDateMode   = 0x0022
	recFilePass   = 0x002F
	recContinue   = 0x003C
	recBoundSheet = 0x0085
	recMulRK      = 0x00BD
	recXF         = 0x00E0
	recSST        = 0x00FC
	recLabelSST   = 0x00FD
	recNumber     = 0x0203
	recLabel      = 0x0204
	recBoolErr    = 0x0205
	recString     = 0x0207
	recRK         = 0x027E
	recFormat     = 0x041E
	recBOF        = 0x0809
)

// xls reads a workbook of Excel 97 to 2003: the cells' values of its sheets.
type xls struct {
	ctx     context.Context
	b       *builder
	stream  []byte
	shared  []string
	own     map[uint16]cellFormat // by the number of a format
	formats []cellFormat          // by the number of a style
	epoch   bool
	sheets  []xlsSheet
	left    int
	most    int
	size    int64 // of the shared texts
}

type xlsSheet struct {
	name string
	at   uint32
}

func readXLS(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	c, err := openCompound(in, lim)
	if err != nil {
		return nil, err
	}
	stream, err := c.stream("Workbook", maxInner)
	if errors.Is(err, errNoStream) {
		return nil, &Error{Code: "unsupported", Detail: "Workbooks of Excel before 97 cannot be read. Save it as .xlsx and upload it again."}
	}
	if err != nil {
		return nil, err
	}
	x := &xls{ctx: ctx, b: newBuilder(lim), stream: stream, own: map[uint16]cellFormat{}, left: lim.Cells, most: lim.Cells}
	if err := x.globals(); err != nil {
		return nil, err
	}
	if len(x.sheets) > lim.Sheets {
		return nil, overLimit("sheets", "This workbook has %d sheets; at most %d are read.", len(x.sheets), lim.Sheets)
	}
	for i, s := range x.sheets {
		in.progress(i, len(x.sheets))
		if err := x.sheet(s); err != nil {
			return nil, err
		}
	}
	return x.b.done()
}

// records calls on for each record from an offset to the end of its part. body
// is what follows in CONTINUE records, too, piece by piece.
func (x *xls) records(at int, on func(kind uint16, body [][]byte) error) error {
	depth := 0
	for at+4 <= len(x.stream) {
		kind := binary.LittleEndian.Uint16(x.stream[at:])
		var body [][]byte
		for first := true; at+4 <= len(x.stream); first = false {
			if !first && binary.LittleEndian.Uint16(x.stream[at:]) != recContinue {
				break
			}
			end := at + 4 + int(binary.LittleEndian.Uint16(x.stream[at+2:]))
			if end > len(x.stream) {
				x.b.warn("This workbook is cut off; what came before was read.")
				return nil
			}
			body = append(body, x.stream[at+4:end])
			at = end
		}
		switch kind {
		case recBOF: // of the part, or of a chart within
			depth++
		case recEOF:
			if depth--; depth <= 0 {
				return nil
			}
		case recFilePass:
			return &Error{Code: "encrypted", Detail: "This workbook is protected by a password. Save it without one and upload it again."}
		default:
			if depth == 1 {
				if err := on(kind, body); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// globals reads what holds for all sheets.
func (x *xls) globals() error {
	return x.records(0, func(kind uint16, body [][]byte) error {
		b := body[0]
		switch {
		case kind == recDateMode && len(b) >= 2:
			x.epoch = b[0] == 1
		case kind == recFormat && len(b) >= 5:
			r := xlsText{pieces: [][]byte{b[2:]}}
			x.own[binary.LittleEndian.Uint16(b)] = formatOf(r.text(2))
		case kind == recXF && len(b) >= 4 && len(x.formats) < 1<<16:
			id := binary.LittleEndian.Uint16(b[2:])
			f, ok := x.own[id]
			if !ok {
				f = builtinFormat(strconv.Itoa(int(id)))
			}
			x.formats = append(x.formats, f)
		case kind == recBoundSheet && len(b) >= 8 && b[5] == 0: // a worksheet
			r := xlsText{pieces: [][]byte{b[6:]}}
			x.sheets = append(x.sheets, xlsSheet{oneLine(r.text(1)), binary.LittleEndian.Uint32(b)})
		case kind == recSST && len(b) >= 8:
			return x.texts(body)
		}
		return nil
	})
}

// texts reads the table of shared texts.
func (x *xls) texts(body [][]byte) error {
	count := binary.LittleEndian.Uint32(body[0][4:])
	r := xlsText{pieces: append([][]byte{body[0][8:]}, body[1:]...)}
	for i := uint32(0); i < count && !r.over(); i++ {
		s := r.text(2)
		if x.size += int64(len(s)); x.size > x.b.most {
			return overLimit("text", "This workbook holds more than %d MiB of text, which is the limit.", x.b.most>>20)
		}
		x.shared = append(x.shared, s)
	}
	return nil
}

// xlsText reads texts that may run on in CONTINUE records.
type xlsText struct{ pieces [][]byte }

// over reports whether nothing is left.
func (r *xlsText) over() bool {
	for len(r.pieces) > 0 && len(r.pieces[0]) == 0 {
		r.pieces = r.pieces[1:]
	}
	return len(r.pieces) == 0
}

// number reads n bytes as a number; 0 where they are not there.
func (r *xlsText) number(n int) (v uint32) {
	for i := range n {
		if r.over() {
			return v
		}
		v |= uint32(r.pieces[0][0]) << (8 * i)
		r.pieces[0] = r.pieces[0][1:]
	}
	return v
}

// skip passes over n bytes.
func (r *xlsText) skip(n uint32) {
	for n > 0 && !r.over() {
		k := min(n, uint32(len(r.pieces[0])))
		r.pieces[0] = r.pieces[0][k:]
		n -= k
	}
}

// text reads a string whose length takes so many bytes. Where characters run
// on in the next record, that one begins by saying anew how wide they are.
func (r *xlsText) text(length int) string {
	count := r.number(length)
	flags := r.number(1)
	runs, extra := uint32(0), uint32(0)
	if flags&8 != 0 {
		runs = r.number(2)
	}
	if flags&4 != 0 {
		extra = r.number(4)
	}
	var units []uint16
	for count > 0 && len(r.pieces) > 0 {
		width := 1 + int(flags&1)
		if len(r.pieces[0]) < width {
			r.pieces = r.pieces[1:]
			if len(r.pieces) > 0 && len(r.pieces[0]) > 0 {
				flags = uint32(r.pieces[0][0])
				r.pieces[0] = r.pieces[0][1:]
			}
			continue
		}
		unit := uint16(r.pieces[0][0])
		if width == 2 {
			unit |= uint16(r.pieces[0][1]) << 8
		}
		units = append(units, unit)
		r.pieces[0] = r.pieces[0][width:]
		count--
	}
	r.skip(4*runs + extra)
	return string(utf16.Decode(units))
}

// sheet reads the cells of a sheet.
func (x *xls) sheet(s xlsSheet) error {
	rows := &sheetRows{b: x.b, name: s.name}
	formula := -1 // the column whose formula's text comes next
	err := x.records(int(s.at), func(kind uint16, body [][]byte) error {
		b := body[0]
		if kind == recString && formula >= 0 {
			r := xlsText{pieces: body}
			rows.set(formula, oneLine(r.text(2)))
			formula = -1
			return nil
		}
		if !xlsCell(kind) || len(b) < 6 {
			return nil
		}
		if x.left--; x.left < 0 {
			return overLimit("cells", "This workbook has more than %d cells, which is the limit. Split it into smaller ones.", x.most)
		}
		if row := int(binary.LittleEndian.Uint16(b)) + 1; row != rows.row {
			rows.add()
			rows.row = row
		}
		col := int(binary.LittleEndian.Uint16(b[2:]))
		if n := len(rows.cells); n > 0 && rows.cells[n-1].col >= col {
			return nil // what is out of order is not believed
		}
		formula = x.cell(rows, kind, col, body)
		if err := x.ctx.Err(); err != nil {
			return err
		}
		return x.b.err
	})
	rows.add()
	rows.end()
	return err
}

func xlsCell(kind uint16) bool {
	switch kind {
	case recFormula, recMulRK, recLabelSST, recNumber, recLabel, recBoolErr, recRK:
		return true
	}
	return false
}

// cell sets what a record of a cell holds. It gives the column where the text
// of a formula is to come, else -1.
func (x *xls) cell(rows *sheetRows, kind uint16, col int, body [][]byte) int {
	b := body[0]
	set := func(col int, s string) {
		if s != "" {
			rows.set(col, s)
		}
	}
	style, rest := binary.LittleEndian.Uint16(b[4:]), b[6:]
	switch {
	case kind == recLabelSST && len(rest) >= 4:
		if i := binary.LittleEndian.Uint32(rest); int64(i) < int64(len(x.shared)) {
			set(col, oneLine(x.shared[i]))
		}
	case kind == recNumber && len(rest) >= 8:
		set(col, x.number(style, math.Float64frombits(binary.LittleEndian.Uint64(rest))))
	case kind == recRK && len(rest) >= 4:
		set(col, x.number(style, rkNumber(binary.LittleEndian.Uint32(rest))))
	case kind == recMulRK:
		for b := b[4:]; len(b) >= 8; b = b[6:] { // two bytes of the last column end it
			set(col, x.number(binary.LittleEndian.Uint16(b), rkNumber(binary.LittleEndian.Uint32(b[2:]))))
			col++
		}
	case kind == recLabel:
		r := xlsText{pieces: [][]byte{rest}}
		set(col, oneLine(r.text(2)))
	case kind == recBoolErr && len(rest) >= 2 && rest[1] == 0:
		set(col, strings.ToUpper(strconv.FormatBool(rest[0] != 0)))
	case kind == recFormula && len(rest) >= 8:
		if rest[6] != 0xff || rest[7] != 0xff {
			set(col, x.number(style, math.Float64frombits(binary.LittleEndian.Uint64(rest))))
		} else if rest[0] == 0 {
			return col
		} else if rest[0] == 1 {
			set(col, strings.ToUpper(strconv.FormatBool(rest[2] != 0)))
		}
	}
	return -1
}

func (x *xls) number(style uint16, v float64) string {
	format := plainNumber
	if int(style) < len(x.formats) {
		format = x.formats[style]
	}
	return format.number(strconv.FormatFloat(v, 'g', -1, 64), x.epoch)
}

// rkNumber reads a number of 30 bits: an integer or the upper part of a
// float, perhaps a hundred times too large ([MS-XLS] 2.5.217).
func rkNumber(rk uint32) float64 {
	v := math.Float64frombits(uint64(rk&^3) << 32)
	if rk&2 != 0 {
		v = float64(int32(rk) >> 2)
	}
	if rk&1 != 0 {
		v /= 100
	}
	return v
}

package extract

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strings"

	"portico/internal/retrieval/document"
)

// A table of values becomes lines of cells, "Ana | 31 | Porto", and its header
// stands once in the text and in Table.Header, which every chunk is read with:
// names repeated in each row would fill the chunks with themselves.

func readCSV(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	return readSeparated(ctx, in, lim, 0)
}

func readTSV(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	return readSeparated(ctx, in, lim, '\t')
}

// readSeparated reads values between separators; 0 finds out which.
func readSeparated(ctx context.Context, in *Input, lim *Limits, comma rune) (*document.Document, error) {
	s, err := in.text(lim, in.charset())
	if err != nil {
		return nil, err
	}
	if line, rest, ok := strings.Cut(s, "\n"); ok && len(line) <= 7 && strings.HasPrefix(line, "sep=") && len(line) > 4 {
		comma, s = rune(line[4]), rest // as Excel writes it
	}
	if comma == 0 {
		comma = separator(s)
	}
	r := csv.NewReader(strings.NewReader(s))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = comma, true, -1, true
	b := newBuilder(lim)
	var first []string
	cells := 0
	for n := 0; b.err == nil; n++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, broken("table", err)
		}
		if cells += len(row); cells > lim.Cells {
			return nil, overLimit("cells", "This table has more than %d cells, which is the limit.", lim.Cells)
		}
		switch n {
		case 0:
			first = append(first, row...)
			continue
		case 1:
			b.row(first, headerRow(first, row))
		}
		b.row(row, false)
		first = nil
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	if first != nil { // one row alone
		b.row(first, false)
	}
	return b.done()
}

// separator is what cuts the first lines into most cells, the same number each.
func separator(s string) rune {
	best, most := ',', 0
	for _, c := range [...]rune{',', ';', '\t', '|'} {
		r := csv.NewReader(strings.NewReader(cut(s, 16<<10)))
		r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = c, true, -1, true
		count := map[int]int{}
		for range 20 {
			row, err := r.Read()
			if err != nil {
				break
			}
			count[len(row)]++
		}
		for fields, rows := range count {
			if fields > 1 && rows*8+fields > most {
				best, most = c, rows*8+fields
			}
		}
	}
	return best
}

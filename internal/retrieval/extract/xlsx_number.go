package extract

import (
	"encoding/xml"
	"math"
	"strconv"
	"strings"
	"time"
)

// The size of a sheet (ECMA-376 part 1, 18.3.1).
const (
	sheetColumns = 16384
	sheetRowsMax = 1048576
)

// cellRef reads a reference like "BC12" as a column and a row from 0.
func cellRef(s string) (col, row int, ok bool) {
	i := 0
	for ; i < len(s) && i < 3 && (s[i]|0x20) >= 'a' && (s[i]|0x20) <= 'z'; i++ {
		col = col*26 + int(s[i]|0x20-'a') + 1
	}
	if i == 0 || i == len(s) || len(s)-i > 7 {
		return 0, 0, false
	}
	for ; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, 0, false
		}
		row = row*10 + int(s[i]-'0')
	}
	return col - 1, row - 1, row > 0 && row <= sheetRowsMax && col <= sheetColumns
}

// cellFormat is what a number is shown as.
type cellFormat uint8

const (
	plainNumber cellFormat = iota
	percentNumber
	dateNumber
	timeNumber
	dateTimeNumber
	elapsedNumber // hours may be more than 24
)

// readCellFormats gives the formats by the number that cells name.
func readCellFormats(a *archive, part string) ([]cellFormat, error) {
	own := map[string]cellFormat{}
	var formats []cellFormat
	err := a.elements(part, func(p *xmlPart, e xml.StartElement) error {
		switch e.Name.Local {
		case "numFmt":
			own[attr(e, "numFmtId")] = formatOf(attr(e, "formatCode"))
		case "cellXfs":
			return p.children(func(e xml.StartElement) error {
				if e.Name.Local == "xf" && len(formats) < 1<<16 {
					id := attr(e, "numFmtId")
					f, ok := own[id]
					if !ok {
						f = builtinFormat(id)
					}
					formats = append(formats, f)
				}
				return nil
			})
		}
		return nil
	})
	return formats, err
}

// builtinFormat gives the formats that have no code in the file (18.8.30),
// those of East Asian dates too.
func builtinFormat(id string) cellFormat {
	switch n, _ := strconv.Atoi(id); {
	case n == 9 || n == 10:
		return percentNumber
	case n >= 14 && n <= 17, n >= 27 && n <= 31, n == 36, n >= 50 && n <= 54, n == 57, n == 58:
		return dateNumber
	case n >= 18 && n <= 21, n >= 32 && n <= 35, n == 45, n == 47, n == 55, n == 56:
		return timeNumber
	case n == 22:
		return dateTimeNumber
	case n == 46:
		return elapsedNumber
	}
	return plainNumber
}

// formatOf tells by a format code what it shows: `yyyy\-mm\-dd`, `[h]:mm`,
// `"due" d mmm`, `[Red]0.00%`.
func formatOf(code string) cellFormat {
	var date, clock, month, percent, elapsed bool
	for i := 0; i < len(code); i++ {
		switch c := code[i] | 0x20; {
		case code[i] == '"':
			for i++; i < len(code) && code[i] != '"'; i++ {
			}
		case code[i] == '\\' || code[i] == '_' || code[i] == '*':
			i++
		case code[i] == '[':
			end := strings.IndexByte(code[i:], ']')
			if end < 0 {
				return plainNumber
			}
			if in := strings.ToLower(code[i+1 : i+end]); in != "" && strings.Trim(in, "hms") == "" {
				elapsed = true
			}
			i += end
		case code[i] == ';':
			i = len(code)
		case code[i] == '%':
			percent = true
		case c == 'g' && len(code)-i >= 7 && strings.EqualFold(code[i:i+7], "general"):
			i += 6
		case c == 'a' && len(code)-i >= 5 && strings.EqualFold(code[i:i+5], "am/pm"):
			i += 4
		case c == 'y' || c == 'd':
			date = true
		case c == 'h' || c == 's':
			clock = true
		case c == 'm':
			month = true
		}
	}
	switch {
	case elapsed:
		return elapsedNumber
	case date && clock:
		return dateTimeNumber
	case date || month && !clock:
		return dateNumber
	case clock:
		return timeNumber
	case percent:
		return percentNumber
	}
	return plainNumber
}

// number writes a cell's number as its format shows it, dates as ISO 8601.
// What is no number stays as it is.
func (f cellFormat) number(s string, from1904 bool) string {
	s = strings.TrimSpace(s)
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return oneLine(s)
	}
	if f == elapsedNumber && v >= 0 && v < 1e6 {
		seconds := int64(math.Round(v * 86400))
		return strconv.FormatInt(seconds/3600, 10) + time.Unix(seconds%3600, 0).UTC().Format(":04:05")
	}
	if f == dateNumber || f == timeNumber || f == dateTimeNumber {
		if t, ok := serialDate(v, from1904); ok {
			return f.date(t, v)
		}
	}
	if f == percentNumber && math.Abs(v) < 1e12 {
		return significant(v*100) + "%"
	}
	return significant(v)
}

// date writes a moment as far as the format and the value go.
func (f cellFormat) date(t time.Time, v float64) string {
	clock := "15:04:05"
	if t.Second() == 0 {
		clock = "15:04"
	}
	if f == timeNumber && v < 1 {
		return t.Format(clock)
	}
	if t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 || f == dateNumber {
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02 " + clock)
}

// serialDate gives the moment of a day's number. Day 60 of the 1900 system is
// a 29 February that was not.
func serialDate(v float64, from1904 bool) (time.Time, bool) {
	if v < 0 || v >= 2958466 { // the year 10000
		return time.Time{}, false
	}
	days, part := math.Modf(v)
	base := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case from1904:
		base = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days < 60:
		days++
	}
	return base.AddDate(0, 0, int(days)).Add(time.Duration(math.Round(part*86400)) * time.Second), true
}

// significant writes a number with the 15 digits that spreadsheets keep.
func significant(v float64) string {
	if a := math.Abs(v); a != 0 && (a >= 1e21 || a < 1e-9) {
		return strconv.FormatFloat(v, 'g', 15, 64)
	}
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatInt(int64(v), 10)
	}
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64)
	return strconv.FormatFloat(v, 'f', -1, 64)
}

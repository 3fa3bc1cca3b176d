package lexical

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unmarked are letters that no decomposition takes the accent from.
var unmarked = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'ħ': "h",
	'ı': "i", 'ł': "l", 'ŋ': "n", 'þ': "th", 'ŧ': "t", 'ĸ': "k", 'ſ': "s",
}

const latinEnd = 0x250 // end of Latin Extended-B

// latin is foldRune of what most text is made of.
var latin = func() (t [latinEnd]string) {
	for r := range rune(latinEnd) {
		t[r] = foldRune(r)
	}
	return t
}()

// appendFold appends a letter in lower case, in its compatible form and without
// accents; a combining accent is nothing. The text is in NFC.
func appendFold(b []byte, r rune) []byte {
	switch {
	case r < utf8.RuneSelf:
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return append(b, byte(r))
	case r < latinEnd:
		return append(b, latin[r]...)
	case r >= 0x3040 && r < 0x3130, r >= 0x3400 && r < 0xa000, r >= 0xac00 && r < 0xd7a4:
		return utf8.AppendRune(b, r) // kana, ideographs and Hangul stay
	}
	return append(b, foldRune(r)...)
}

func foldRune(r rune) string {
	if accent(r) {
		return ""
	}
	var out []byte
	for _, c := range norm.NFKC.String(string(r)) {
		c = unicode.ToLower(c)
		if s, ok := unmarked[c]; ok {
			out = append(out, s...)
			continue
		}
		base, n := utf8.DecodeRuneInString(norm.NFD.String(string(c)))
		if n < len(string(c))+1 && unicode.In(base, unicode.Latin, unicode.Greek, unicode.Cyrillic) {
			c = unicode.ToLower(base)
		}
		if !accent(c) {
			out = utf8.AppendRune(out, c)
		}
	}
	return string(out)
}

func accent(r rune) bool { return r >= 0x300 && r < 0x370 }

// class is what a character is to the scanner.
type class uint8

const (
	gap   class = iota // between words
	lower              // a letter, small or without case
	upper
	digit
	glyph // of a script without spaces: two of them make a word
	joint // belongs to the letter before it
	none  // as if it were not there
)

func classOf(r rune) class {
	if r < utf8.RuneSelf {
		switch {
		case 'a' <= r && r <= 'z':
			return lower
		case 'A' <= r && r <= 'Z':
			return upper
		case '0' <= r && r <= '9':
			return digit
		}
		return gap
	}
	switch {
	case r == 0xad, r == 0x200c, r == 0x200d, r == 0x2060, r >= 0xfe00 && r <= 0xfe0f:
		return none
	case r >= 0x2000 && r < 0x2070:
		return gap
	case spaceless(r):
		return glyph
	case unicode.IsUpper(r), unicode.IsTitle(r):
		return upper
	case unicode.IsLetter(r):
		return lower
	case unicode.IsDigit(r), unicode.IsNumber(r):
		return digit
	case unicode.IsMark(r):
		return joint
	}
	return gap
}

// spaceless reports whether words of the letter's script are not divided by spaces.
func spaceless(r rune) bool {
	switch {
	case r < 0xe00:
		return false
	case r < 0xf00, r >= 0x1000 && r < 0x10a0, r >= 0x1780 && r < 0x1800: // Thai, Lao; Myanmar; Khmer
		return unicode.IsLetter(r) || unicode.IsMark(r)
	case r < 0x3005:
		return false
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) ||
		r == 'ー' || r == '々'
}

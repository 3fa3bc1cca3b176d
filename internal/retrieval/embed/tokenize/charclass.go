package tokenize

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What an ASCII character is to BERT's normaliser and pre-tokenizer.
const (
	control uint8 = iota // left out when the text is cleaned
	space
	mark // a word of its own
	letter
)

var ascii = classify()

func classify() (t [utf8.RuneSelf]uint8) {
	for b := range t {
		switch {
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
			t[b] = space
		case b < ' ' || b == 0x7f:
			t[b] = control
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
			t[b] = letter
		default:
			t[b] = mark
		}
	}
	return t
}

// unicode normalises a run without ASCII and adds it to the words.
func (c *cutter) unicode(text string) {
	c.run = c.run[:0]
	for _, r := range text {
		switch {
		case c.clean && dropped(r):
		case c.clean && unicode.IsSpace(r):
			c.run = append(c.run, ' ')
		case c.chinese && chinese(r):
			c.run = append(c.run, ' ')
			c.run = utf8.AppendRune(c.run, r)
			c.run = append(c.run, ' ')
		default:
			c.run = utf8.AppendRune(c.run, r)
		}
	}
	run := c.run
	if c.strip {
		c.nfd = norm.NFD.Append(c.nfd[:0], run...)
		run = c.nfd
	}
	for len(run) > 0 {
		r, n := utf8.DecodeRune(run)
		run = run[n:]
		switch {
		case c.strip && nonSpacing(r):
			continue
		case unicode.IsSpace(r):
			c.flush()
			continue
		case c.lower && r == 'İ': // the one letter whose lower case is two
			c.word = append(c.word, "i̇"...)
			c.chars += 2
			continue
		case c.lower:
			r = unicode.ToLower(r)
		}
		if punctuation(r) {
			c.flush()
			c.word, c.chars = utf8.AppendRune(c.word, r), 1
			c.flush()
			continue
		}
		c.word = utf8.AppendRune(c.word, r)
		c.chars++
	}
}

// nonSpacing reports what goes when accents are stripped. U+1734 was such a
// mark in the reference's Unicode.
func nonSpacing(r rune) bool {
	return unicode.Is(unicode.Mn, r) && !unicode.Is(later, r) && r != 0x111c9 || r == 0x1734
}

// punctuation reports what is a word of its own. The last two were punctuation
// in the reference's Unicode.
func punctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return ascii[r] == mark
	}
	return unicode.Is(unicode.P, r) && !unicode.Is(later, r) || r == 0x166d || r == 0x111c9
}

// dropped reports what cleaning leaves out: control and format characters,
// private ones, and what could not be read.
func dropped(r rune) bool {
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) && !unicode.Is(later, r)
}

// chinese is the reference's idea of a Chinese character, with its gap.
func chinese(r rune) bool {
	switch {
	case r < 0x3400:
		return false
	case r <= 0x4DBF, 0x4E00 <= r && r <= 0x9FFF, 0xF900 <= r && r <= 0xFAFF,
		0x20000 <= r && r <= 0x2A6DF, 0x2A700 <= r && r <= 0x2B73F, 0x2B740 <= r && r <= 0x2B81F,
		0x2B920 <= r && r <= 0x2CEAF, 0x2F800 <= r && r <= 0x2FA1F:
		return true
	}
	return false
}

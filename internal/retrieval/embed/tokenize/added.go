package tokenize

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// added is a token that is looked for in the text before anything else, such as
// "[SEP]".
type added struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only where no word goes on
	LStrip     bool   `json:"lstrip"`      // takes the white space before it along
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
}

// nextAdded finds the leftmost added token in text, of those that begin there
// the longest; nil when there is none.
func nextAdded(all []added, text string) (at int, found *added) {
	at = len(text)
	for i := range all {
		a := &all[i]
		for from := 0; from < len(text); {
			j := strings.Index(text[from:min(at+len(a.Content), len(text))], a.Content)
			if j < 0 {
				break
			}
			j += from
			if a.SingleWord && insideWord(text, j, j+len(a.Content)) {
				from = j + 1
				continue
			}
			if j < at || found == nil || len(a.Content) > len(found.Content) {
				at, found = j, a
			}
			break
		}
	}
	return at, found
}

func insideWord(text string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	after, _ := utf8.DecodeRuneInString(text[to:])
	word := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }
	return from > 0 && word(before) || to < len(text) && word(after)
}

// around gives where the text before the token at that place ends, and where
// the text behind it begins.
func (a *added) around(text string, at int) (before, after int) {
	before, after = at, at+len(a.Content)
	if a.LStrip {
		before = len(strings.TrimRightFunc(text[:at], unicode.IsSpace))
	}
	if a.RStrip {
		after = len(text) - len(strings.TrimLeftFunc(text[after:], unicode.IsSpace))
	}
	return before, after
}

package lexical

import (
	"bytes"
	"unicode/utf8"
)

// maxChain bounds the words of one identifier, path or address.
const maxChain = 32

// link is one word of a chain: words joined by a sign without a space, such as
// OLLAMA_BASE_URL, v0.12.4, someone@example.com or /etc/hosts.
type link struct {
	lo, hi int  // in buf
	join   byte // what joins it to the one before; 0 in the first
	// The word may be parted at cuts[cut:end].
	cut, end int
	digits   bool // nothing else
}

// scan adds the words of text, which is in NFC.
func (a *analyser) scan(text string) {
	for i := 0; i < len(text); {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(text[i:])
		}
		switch classOf(r) {
		case glyph:
			i = a.glyphs(text, i)
		case lower, upper, digit:
			i = a.joined(text, i)
		default:
			i += n
		}
	}
}

// joined reads a chain that begins at i, and gives its end.
func (a *analyser) joined(text string, i int) int {
	a.buf, a.chain, a.cuts = a.buf[:0], a.chain[:0], a.cuts[:0]
	join := byte(0)
	for {
		i = a.word(text, i, join)
		if len(a.chain) == maxChain {
			break
		}
		sign, n := joiner(text[i:])
		if sign == 0 || i+n >= len(text) {
			break
		}
		r, _ := utf8.DecodeRuneInString(text[i+n:])
		c := classOf(r)
		if c != lower && c != upper && c != digit {
			break
		}
		if sign == ',' && (c != digit || !a.chain[len(a.chain)-1].digits) {
			break
		}
		a.buf = append(a.buf, sign)
		join, i = sign, i+n
	}
	a.emit(text[i:])
	return i
}

// joiner gives the sign at the beginning of s that may join two words.
func joiner(s string) (sign byte, n int) {
	if s == "" {
		return 0, 0
	}
	switch s[0] {
	case '_', '.', '-', '/', '\\', '@', '=', '&', '?', '#', '+', '~', ',', '\'':
		return s[0], 1
	case ':':
		if len(s) > 2 && s[1] == '/' && s[2] == '/' {
			return ':', 3
		}
		if len(s) > 1 && (s[1] == ':' || s[1] == '\\') {
			return s[1], 2
		}
		return ':', 1
	}
	if r, n := utf8.DecodeRuneInString(s); r == '’' || r == 'ʼ' {
		return '\'', n
	} else if r == '‐' || r == '‑' {
		return '-', n
	}
	return 0, 0
}

// word reads one word from i on, appends it to the chain and gives its end.
// It notes where the case changes, or letters become digits.
func (a *analyser) word(text string, i int, join byte) int {
	l := link{lo: len(a.buf), join: join, cut: len(a.cuts), digits: true}
	was, letters, turns := gap, 0, 0
	for i < len(text) {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(text[i:])
		}
		c := classOf(r)
		if c == gap || c == glyph {
			break
		}
		i += n
		if c == joint || c == none {
			if c == joint && len(a.buf)-l.lo < maxWord {
				a.buf = appendFold(a.buf, r)
			}
			continue
		}
		if c != digit {
			l.digits = false
		}
		switch {
		case was == lower && c == upper,
			was == upper && c == upper && startsLower(text[i:]):
			a.cuts = append(a.cuts, len(a.buf))
		case was != gap && (was == digit) != (c == digit):
			turns++
			if letters != 1 {
				a.cuts = append(a.cuts, len(a.buf))
			}
		}
		if c == digit {
			letters = 0
		} else {
			letters++
		}
		was = c
		if portugueseLetter(r) {
			a.accents++
		}
		if len(a.buf)-l.lo < maxWord {
			a.buf = appendFold(a.buf, r)
		}
	}
	l.hi = len(a.buf)
	// What changes often is a hash or a number in another base.
	if turns > 2 || len(a.cuts)-l.cut > 5 || bytes.HasPrefix(a.buf[l.lo:], []byte("0x")) {
		a.cuts = a.cuts[:l.cut]
	}
	l.end = len(a.cuts)
	a.chain = append(a.chain, l)
	return i
}

func startsLower(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && classOf(r) == lower
}

func portugueseLetter(r rune) bool {
	switch r {
	case 'ã', 'õ', 'ç', 'á', 'é', 'í', 'ó', 'ú', 'â', 'ê', 'ô', 'à':
		return true
	}
	return false
}

// emit adds the words of the chain, and what more it may be found by.
func (a *analyser) emit(rest string) {
	for i := 0; i < len(a.chain); i++ {
		l := a.chain[i]
		if i+1 < len(a.chain) && a.chain[i+1].join == '\'' && a.apostrophe(l, a.chain[i+1]) {
			i++
			continue
		}
		a.add(a.buf[l.lo:l.hi], false)
		a.parts(l)
	}
	if len(a.chain) == 1 {
		a.language(rest)
		return
	}
	for lo, hi := 0, 0; lo < len(a.chain); lo = hi {
		for hi = lo + 1; hi < len(a.chain) && weak(a.chain[hi].join); hi++ {
		}
		a.identifier(a.chain[lo:hi])
	}
	for lo, hi := 0, 0; lo < len(a.chain); lo = hi {
		strong := false
		for hi = lo + 1; hi < len(a.chain) && a.chain[hi].join != '\''; hi++ {
			strong = strong || !weak(a.chain[hi].join)
		}
		if strong {
			a.whole(a.chain[lo:hi])
		}
	}
}

// weak signs are within names; others stand between them.
func weak(sign byte) bool { return sign == '_' || sign == '.' || sign == '-' || sign == ',' }

// apostrophe adds a word with what follows its apostrophe, if the two are one:
// a user's is user, don't is dont. Else, as in d'água, they are two, and may be
// found as one.
func (a *analyser) apostrophe(l, next link) bool {
	switch string(a.buf[next.lo:next.hi]) {
	case "s":
		a.add(a.buf[l.lo:l.hi], false)
		return true
	case "t", "re", "ll", "ve", "d", "m":
		a.spare = append(append(a.spare[:0], a.buf[l.lo:l.hi]...), a.buf[next.lo:next.hi]...)
		a.add(a.spare, false)
		return true
	}
	a.spare = append(append(a.spare[:0], a.buf[l.lo:l.hi]...), a.buf[next.lo:next.hi]...)
	a.add(a.spare, true)
	return false
}

// parts adds those of a word in camel case, or of letters and digits.
func (a *analyser) parts(l link) {
	if l.cut == l.end {
		return
	}
	lo := l.lo
	for _, cut := range append(a.cuts[l.cut:l.end:l.end], l.hi) {
		cut = min(cut, l.hi)
		if cut-lo > 1 || cut > lo && a.buf[lo] >= '0' && a.buf[lo] <= '9' {
			a.add(a.buf[lo:cut], true)
		}
		lo = cut
	}
}

// language adds names such as C++ and C#.
func (a *analyser) language(rest string) {
	l := a.chain[0]
	if l.hi-l.lo > 2 || rest == "" || rest[0] != '+' && rest[0] != '#' {
		return
	}
	n := 1
	if len(rest) > 1 && rest[1] == '+' && rest[0] == '+' {
		n = 2
	}
	a.spare = append(append(a.spare[:0], a.buf[l.lo:l.hi]...), rest[:n]...)
	a.add(a.spare, true)
}

// whole adds joined words as one.
func (a *analyser) whole(links []link) {
	if b := a.buf[links[0].lo:links[len(links)-1].hi]; len(b) <= maxWhole {
		a.add(b, true)
	}
}

// identifier adds a name whole, and as it is written elsewhere: v1.2 is 1.2,
// e-mail is email, U.S.A. is USA, 1,234.5 is 1.234,5 is 1234.5.
func (a *analyser) identifier(links []link) {
	if len(links) < 2 {
		return
	}
	a.whole(links)
	first, last := links[0], links[len(links)-1]
	b := a.buf[first.lo:last.hi]
	if len(b) > maxWord {
		return
	}
	if b[0] == 'v' && len(b) > 1 && b[1] >= '0' && b[1] <= '9' && links[1].join == '.' {
		a.add(b[1:], true)
	}
	letters, digits := true, true
	for i, l := range links {
		letters = letters && l.hi-l.lo == 1 && (i == 0 || l.join == '.')
		digits = digits && l.digits && (i == 0 || l.join == '.' || l.join == ',')
	}
	switch {
	case digits:
		a.number(links)
	case letters, len(links) == 2 && last.join == '-':
		a.spare = a.spare[:0]
		for _, l := range links {
			a.spare = append(a.spare, a.buf[l.lo:l.hi]...)
		}
		a.add(a.spare, true)
	}
}

// number adds a number without the signs between thousands.
func (a *analyser) number(links []link) {
	last := links[len(links)-1]
	fraction := last.hi-last.lo != 3 || len(links) > 2 && last.join != links[1].join
	whole := links
	if fraction {
		whole = links[:len(links)-1]
	}
	a.spare = a.spare[:0]
	for i, l := range whole {
		if n := l.hi - l.lo; i > 0 && (n != 3 || l.join != whole[1].join) || i == 0 && n > 3 && len(whole) > 1 {
			return // 192.168.1.1
		}
		a.spare = append(a.spare, a.buf[l.lo:l.hi]...)
	}
	if fraction {
		a.spare = append(append(a.spare, '.'), a.buf[last.lo:last.hi]...)
	}
	if !bytes.Equal(a.spare, a.buf[links[0].lo:last.hi]) {
		a.add(a.spare, true)
	}
}

// glyphs adds each two neighbours of a run without spaces, or the only one, and
// gives its end.
func (a *analyser) glyphs(text string, i int) int {
	a.buf, a.cuts = a.buf[:0], a.cuts[:0]
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		c := classOf(r)
		if c != glyph && c != none {
			break
		}
		i += n
		if c == none {
			continue
		}
		a.cuts = append(a.cuts, len(a.buf))
		a.buf = appendFold(a.buf, r)
		if n := len(a.cuts); n > 1 {
			a.add(a.buf[a.cuts[n-2]:], false)
		}
		if len(a.buf) > maxWhole { // the run is long: keep only the last
			last := a.cuts[len(a.cuts)-1]
			a.buf = append(a.buf[:0], a.buf[last:]...)
			a.cuts = append(a.cuts[:0], 0)
		}
	}
	if len(a.cuts) == 1 {
		a.add(a.buf, false)
	}
	return i
}

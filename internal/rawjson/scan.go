package rawjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// scanner walks over JSON once and checks it. Methods that consume leave i
// behind what they read and behind the white space that follows it only where
// they say so.
type scanner struct {
	b       []byte
	i       int
	depth   int // levels left
	keys    int // keys left
	keyEnd  int // end of the key that was read last, its quote included
	longest int // elements of the longest array
	err     error
}

func newScanner(b []byte, lim Limits) scanner {
	if lim.Depth <= 0 {
		lim.Depth = DefaultDepth
	}
	if lim.Keys <= 0 {
		lim.Keys = DefaultKeys
	}
	return scanner{b: b, depth: lim.Depth, keys: lim.Keys}
}

// peek is the next byte, or 0 at the end, which is legal nowhere.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\n', '\t', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) fail(msg string) error {
	if s.i >= len(s.b) {
		return &SyntaxError{Offset: len(s.b), Msg: "the text ends too soon"}
	}
	return &SyntaxError{Offset: s.i, Msg: msg}
}

// end requires that nothing but white space follows.
func (s *scanner) end() error {
	s.space()
	if s.i < len(s.b) {
		return s.fail("something follows the value")
	}
	return nil
}

// enter and leave a container, of which i is at the bracket.
func (s *scanner) enter() error {
	if s.depth == 0 {
		return ErrDepth
	}
	s.depth--
	s.i++
	return nil
}

func (s *scanner) leave() { s.depth++ }

// more reports whether another entry of a container follows, and goes to its
// first byte; else it goes behind the closing bracket. With a fault it reports
// false and sets err.
func (s *scanner) more(closing byte, first bool) bool {
	s.space()
	switch c := s.peek(); {
	case c == closing:
		s.i++
		return false
	case first:
		return true
	case c == ',':
		s.i++
		s.space()
		return true
	case closing == '}':
		s.err = s.fail("a comma or a closing brace was expected")
	default:
		s.err = s.fail("a comma or a closing bracket was expected")
	}
	return false
}

// key reads a member's key and the colon and goes to the value. It reports
// whether the key has escapes.
func (s *scanner) key() (escaped bool, err error) {
	if s.peek() != '"' {
		return false, s.fail("a key in double quotes was expected")
	}
	if s.keys == 0 {
		return false, ErrKeys
	}
	s.keys--
	start := s.i
	if err := s.text(); err != nil {
		return false, err
	}
	s.keyEnd = s.i
	for _, c := range s.b[start:s.i] {
		if c == '\\' {
			escaped = true
			break
		}
	}
	s.space()
	if s.peek() != ':' {
		return escaped, s.fail("a colon was expected")
	}
	s.i++
	s.space()
	return escaped, nil
}

// value checks one value of any kind.
func (s *scanner) value() error {
	switch c := s.peek(); c {
	case '"':
		return s.text()
	case '{':
		return s.object()
	case '[':
		return s.array()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		if c == '-' || isDigit(c) {
			return s.number()
		}
		return s.fail("a value was expected")
	}
}

func (s *scanner) object() error {
	if err := s.enter(); err != nil {
		return err
	}
	for first := true; s.more('}', first); first = false {
		if _, err := s.key(); err != nil {
			return err
		}
		if err := s.value(); err != nil {
			return err
		}
	}
	s.leave()
	return s.err
}

func (s *scanner) array() error {
	if err := s.enter(); err != nil {
		return err
	}
	n := 0
	for ; s.more(']', n == 0); n++ {
		if err := s.value(); err != nil {
			return err
		}
	}
	s.longest = max(s.longest, n)
	s.leave()
	return s.err
}

func (s *scanner) word(w string) error {
	for j := 0; j < len(w); j++ {
		if s.peek() != w[j] {
			return s.fail("a value was expected")
		}
		s.i++
	}
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.i++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		return s.digits()
	}
	return nil
}

func (s *scanner) digits() error {
	if !isDigit(s.peek()) {
		return s.fail("a digit was expected")
	}
	for isDigit(s.peek()) {
		s.i++
	}
	return nil
}

// text checks a string and goes behind its closing quote. Eight plain bytes
// are passed over at a time: prompts are long.
func (s *scanner) text() error {
	b, i := s.b, s.i+1
	for {
		i = skipPlain(b, i)
		if i >= len(b) {
			s.i = len(b)
			return s.fail("")
		}
		switch c := b[i]; {
		case c == '"':
			s.i = i + 1
			return nil
		case c == '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				s.i = i
				return s.fail("an escape that JSON does not have")
			}
			i += n
		case c >= utf8.RuneSelf:
			n := runeLen(b[i:])
			if n == 0 {
				s.i = i
				return s.fail("the text is not UTF-8")
			}
			i += n
		default:
			s.i = i
			return s.fail("a control character within a string")
		}
	}
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// skipPlain gives the index at or after i of the first byte that is a quote, a
// backslash, a control character or not ASCII.
func skipPlain(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		// A byte's top bit is set where it is special. Borrows reach only
		// bytes above a true hit, and the lowest hit is the one taken.
		hit := ((quote - ones) | (slash - ones) | (w - ones*' ') | w) & tops
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return i
		}
	}
	return i
}

// escapeLen is the length of the escape that b begins with, or 0.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads \uXXXX at the start of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// runeLen is the length of the UTF-8 sequence of more than one byte that b
// begins with, or 0.
func runeLen(b []byte) int {
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError && n <= 1 {
		return 0
	}
	return n
}

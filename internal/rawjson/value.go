package rawjson

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Unquote gives the text of a raw string. Halves of surrogate pairs, which
// UTF-8 cannot carry, become U+FFFD. It reports false for what is no string.
func Unquote(raw []byte) (string, bool) {
	if plain, ok := Plain(raw); ok {
		return string(plain), true
	}
	text, ok := AppendUnquoted(nil, raw)
	return string(text), ok
}

// Plain gives the text of a raw string that has no escapes, without copying.
func Plain(raw []byte) ([]byte, bool) {
	if !quoted(raw) {
		return nil, false
	}
	raw = raw[1 : len(raw)-1]
	for i := skipPlain(raw, 0); i < len(raw); i = skipPlain(raw, i+1) {
		if raw[i] < utf8.RuneSelf {
			return nil, false
		}
	}
	return raw, true
}

func quoted(raw []byte) bool {
	return len(raw) >= 2 && raw[0] == '"' && raw[len(raw)-1] == '"'
}

// AppendUnquoted appends the text of a raw string to dst. It reports false,
// having appended nothing, for what is no string.
func AppendUnquoted(dst, raw []byte) ([]byte, bool) {
	if !quoted(raw) {
		return dst, false
	}
	from := len(dst)
	raw = raw[1 : len(raw)-1]
	for i := 0; i < len(raw); {
		j := skipPlain(raw, i)
		dst = append(dst, raw[i:j]...)
		if i = j; i >= len(raw) {
			break
		}
		switch c := raw[i]; {
		case c == '\\':
			n := escapeLen(raw[i:])
			if n == 0 {
				return dst[:from], false
			}
			if n == 2 {
				dst = append(dst, unescaped(raw[i+1]))
				i += n
				continue
			}
			r, n := surrogates(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		case c >= utf8.RuneSelf:
			n := max(1, runeLen(raw[i:]))
			dst = append(dst, raw[i:i+n]...)
			i += n
		default:
			return dst[:from], false
		}
	}
	return dst, true
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// surrogates reads one \uXXXX or a pair of them, and how long it was.
func surrogates(b []byte) (rune, int) {
	r, _ := hex4(b)
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if low, ok := hex4(b[6:]); ok {
		if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
			return full, 12
		}
	}
	return utf8.RuneError, 6
}

// AppendString appends s as a JSON string. What is not UTF-8 in it becomes
// U+FFFD.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
			if r == utf8.RuneError && n <= 1 {
				dst = append(dst, s[from:i]...)
				dst = append(dst, "\uFFFD"...)
				from = i + 1
			}
			i += max(1, n)
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// Each calls fn for every member of a raw object, in order; key is the text
// within the quotes, still escaped where it has escapes. It reports false, and
// may have called fn, when raw is no object.
func Each(raw []byte, fn func(key, value []byte)) bool {
	s := scanner{b: raw, depth: deepest, keys: unlimited}
	s.space()
	if s.peek() != '{' || s.enter() != nil {
		return false
	}
	for first := true; s.more('}', first); first = false {
		start := s.i
		if _, err := s.key(); err != nil {
			return false
		}
		key, from := raw[start+1:s.keyEnd-1], s.i
		if s.value() != nil {
			return false
		}
		fn(key, raw[from:s.i])
	}
	return s.err == nil && s.end() == nil
}

// Elements calls fn for every element of a raw array, in order. It reports
// false, and may have called fn, when raw is no array.
func Elements(raw []byte, fn func(value []byte)) bool {
	s := scanner{b: raw, depth: deepest, keys: unlimited}
	s.space()
	if s.peek() != '[' || s.enter() != nil {
		return false
	}
	for first := true; s.more(']', first); first = false {
		from := s.i
		if s.value() != nil {
			return false
		}
		fn(raw[from:s.i])
	}
	return s.err == nil && s.end() == nil
}

// Values that were checked before need no limits; on others the stack still may
// not grow without end.
const (
	unlimited = 1 << 30
	deepest   = 100_000
)

// Lookup gives the raw value of a member of a raw object, the last one of that
// key, or nil.
func Lookup(raw []byte, key string) []byte {
	var found []byte
	Each(raw, func(k, v []byte) {
		if string(k) == key {
			found = v
		}
	})
	return found
}

// IsNull reports whether raw is absent or null.
func IsNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }

// IsObject and IsArray go by the first byte.
func IsObject(raw []byte) bool { return len(raw) > 0 && raw[0] == '{' }

// IsArray goes by the first byte.
func IsArray(raw []byte) bool { return len(raw) > 0 && raw[0] == '[' }

// Int gives the value of a raw number that is whole and fits; 1e3 and 2.0 are whole.
func Int(raw []byte) (int64, bool) {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, true
	}
	f, ok := Float(raw)
	if !ok || f != float64(int64(f)) || f >= 1<<53 || f <= -1<<53 {
		return 0, false
	}
	return int64(f), true
}

// Float gives the value of a raw number.
func Float(raw []byte) (float64, bool) {
	if len(raw) == 0 || (raw[0] != '-' && !isDigit(raw[0])) {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	return f, err == nil
}

// Valid reports whether raw is one JSON value, alone, within the usual limits.
func Valid(raw []byte) bool {
	s := newScanner(raw, Limits{})
	s.space()
	return s.value() == nil && s.end() == nil
}

// Offset is where in raw a value begins that Each, Elements, Lookup or Get
// found within it.
func Offset(raw, value []byte) int { return cap(raw) - cap(value) }

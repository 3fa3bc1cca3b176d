package hop

import (
	"bytes"
	"errors"
	"strings"
)

// What an answer's head may be.
const (
	maxHead    = bufferSize // bytes, status line included
	maxHeaders = 100
	maxInterim = 8 // 1xx answers before the real one
)

var (
	errMalformed = errors.New("hop: the answer's head is malformed")
	errTooLong   = errors.New("hop: the answer's head is longer than 32 KiB or 100 lines")
	errInterim   = errors.New("hop: more than 8 interim answers")
)

// framing is how the end of a body is told.
type framing uint8

const (
	none framing = iota
	sized
	chunked
	untilClose
)

// head is a parsed head.
type head struct {
	status   int
	lines    []byte // the header lines, each with its CRLF
	length   int64  // of a sized body
	framing  framing
	keep     bool // the connection may be used again after the body
	encoding []byte
	typ      []byte
}

// parseHead reads a head from b, which holds it up to and including the empty
// line. It is strict: whatever two readers could understand in two ways is an
// error.
func parseHead(b []byte, method string) (h head, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 13 || b[end-1] != '\r' {
		return h, errMalformed
	}
	minor, ok := h.statusLine(b[:end-1])
	if !ok {
		return h, errMalformed
	}
	b = b[end+1:]
	h.lines = b[:len(b)-2]
	h.keep = minor == 1
	h.length = -1
	encoded, count := false, 0
	for rest := h.lines; len(rest) > 0; count++ {
		if count == maxHeaders {
			return h, errTooLong
		}
		end := bytes.IndexByte(rest, '\n')
		name, value, ok := splitLine(rest[:end+1])
		if !ok {
			return h, errMalformed
		}
		rest = rest[end+1:]
		switch {
		case is(name, "Content-Length"):
			n, ok := parseLength(value)
			if !ok || (h.length >= 0 && h.length != n) {
				return h, errMalformed
			}
			h.length = n
		case is(name, "Transfer-Encoding"):
			if encoded || minor == 0 || !is(value, "chunked") {
				return h, errMalformed
			}
			encoded = true
		case is(name, "Connection"):
			h.keep = h.keep && !hasToken(value, "close")
		case is(name, "Content-Encoding"):
			if h.encoding != nil {
				return h, errMalformed
			}
			h.encoding = value
		case is(name, "Content-Type") && h.typ == nil:
			h.typ = value
		}
	}
	if encoded && h.length >= 0 {
		return h, errMalformed
	}
	switch {
	case method == "HEAD", h.status < 200, h.status == 204, h.status == 304:
		h.framing = none
	case encoded:
		h.framing = chunked
	case h.length >= 0:
		h.framing = sized
	default:
		h.framing, h.keep = untilClose, false
	}
	return h, nil
}

// statusLine reads "HTTP/1.x NNN reason".
func (h *head) statusLine(b []byte) (minor byte, ok bool) {
	if len(b) < 12 || string(b[:7]) != "HTTP/1." || b[7] < '0' || b[7] > '1' || b[8] != ' ' || !validText(b[9:]) {
		return 0, false
	}
	for _, c := range b[9:12] {
		if c < '0' || c > '9' {
			return 0, false
		}
		h.status = h.status*10 + int(c-'0')
	}
	return b[7] - '0', h.status >= 100 && (len(b) == 12 || b[12] == ' ')
}

// splitLine takes "Name: value\r\n" apart.
func splitLine(line []byte) (name, value []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	n := len(line)
	if colon <= 0 || n < 2 || line[n-2] != '\r' {
		return nil, nil, false
	}
	for _, c := range line[:colon] {
		if !tokenByte(c) {
			return nil, nil, false
		}
	}
	value = line[colon+1 : n-2]
	for len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	for n := len(value); n > 0 && (value[n-1] == ' ' || value[n-1] == '\t'); n-- {
		value = value[:n-1]
	}
	return line[:colon], value, validText(value)
}

// validText refuses control bytes, a bare CR among them.
func validText(b []byte) bool {
	for _, c := range b {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// is compares without regard to case; s is ASCII.
func is(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if b[i] != s[i] && (b[i]^s[i] != 0x20 || b[i]|0x20 < 'a' || b[i]|0x20 > 'z') {
			return false
		}
	}
	return true
}

func hasToken(list []byte, token string) bool {
	for len(list) > 0 {
		item, rest, _ := bytes.Cut(list, []byte{','})
		if is(bytes.Trim(item, " \t"), token) {
			return true
		}
		list = rest
	}
	return false
}

func parseLength(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// scanHead looks for the end of the head at the start of b and gives its
// length, its empty line included, or 0 when there is more to come. from is
// how far an earlier call has looked. What cannot become a head is refused at
// once, lest a caller wait for the rest of it.
func scanHead(b []byte, from int) (int, error) {
	if n := min(len(b), 7); string(b[:n]) != "HTTP/1."[:n] {
		return 0, errMalformed
	}
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0, nil
		}
		i += from
		if i < 2 || b[i-1] != '\r' {
			return 0, errMalformed
		}
		if b[i-2] == '\n' {
			return i + 1, nil
		}
		from = i + 1
	}
}

// commonTypes spares a string per answer.
var commonTypes = [...]string{"application/json", "text/event-stream", "application/json; charset=utf-8",
	"text/event-stream; charset=utf-8", "application/x-ndjson", "text/plain; charset=utf-8"}

func contentType(b []byte) string {
	for _, s := range commonTypes {
		if string(b) == s {
			return s
		}
	}
	return string(b)
}

// eachHeader calls fn for each line until it returns false.
func eachHeader(lines []byte, fn func(name, value []byte) bool) {
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n')
		name, value, _ := splitLine(lines[:end+1])
		if !fn(name, value) {
			return
		}
		lines = lines[end+1:]
	}
}

// canonical writes a header's name the usual way: X-Request-Id.
func canonical(name []byte) string {
	var b strings.Builder
	upper := true
	for _, c := range name {
		if upper && 'a' <= c && c <= 'z' {
			c -= 0x20
		} else if !upper && 'A' <= c && c <= 'Z' {
			c += 0x20
		}
		b.WriteByte(c)
		upper = c == '-'
	}
	return b.String()
}

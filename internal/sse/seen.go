package sse

import "bytes"

// seen is what the data of a stream has told, found by looking for keys and
// not by decoding: within JSON, a quote in a text is escaped, so the needles
// below cannot be found in what a model said.
type seen struct {
	done   bool
	finish bool
	failed bool
	events int
	usage  []byte
}

// Done reports whether "data: [DONE]" was seen.
func (f *Framer) Done() bool { return f.seen.done }

// Finished reports whether a finish_reason that is not null was seen.
func (f *Framer) Finished() bool { return f.seen.finish }

// Failed reports whether an error was told in the stream.
func (f *Framer) Failed() bool { return f.seen.failed }

// Usage is the last usage object that was seen, as sent; nil if there was none.
// It is valid until the next call of Feed.
func (f *Framer) Usage() []byte { return f.seen.usage }

// Events is the number of events with data, [DONE] included.
func (f *Framer) Events() int { return f.seen.events }

// Dropped is the number of lines that were left out because they are not legal.
func (f *Framer) Dropped() int { return f.dropped }

// key is the name of a member, cut before a pair of letters that is rare in
// chunks, which makes looking for it twice as fast.
type key struct{ front, needle []byte }

var (
	keyFinish = key{[]byte(`"finish`), []byte(`_reason"`)}
	keyUsage  = key{[]byte(`"`), []byte(`usage"`)}
	keyError  = key{[]byte(`"e`), []byte(`rror"`)}
)

// look takes note of one event's data.
func (s *seen) look(data []byte) {
	if len(data) < 16 && string(bytes.TrimSpace(data)) == "[DONE]" {
		s.done = true
		return
	}
	if len(data) == 0 || data[0] != '{' {
		return
	}
	if !s.finish {
		if v := member(data, keyFinish); len(v) > 0 && v[0] == '"' {
			s.finish = true
		}
	}
	if v := member(data, keyUsage); len(v) > 0 && v[0] == '{' {
		if n := objectEnd(v); n > 0 {
			s.usage = append(s.usage[:0], v[:n]...)
		}
	}
	if !s.failed {
		if v := member(data, keyError); len(v) > 0 && v[0] != 'n' {
			s.failed = true
		}
	}
}

// member gives what follows the first key of that name, at whatever depth, or
// nil.
func member(data []byte, k key) []byte {
	for from := 0; ; {
		i := bytes.Index(data[from:], k.needle)
		if i < 0 {
			return nil
		}
		i += from
		from = i + len(k.needle)
		if !bytes.HasSuffix(data[:i], k.front) {
			continue
		}
		if v := bytes.TrimLeft(data[from:], " \t"); len(v) > 0 && v[0] == ':' {
			return bytes.TrimLeft(v[1:], " \t")
		}
	}
}

// objectEnd gives the length of the JSON object at the start of v, or 0.
func objectEnd(v []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// Package rawjson looks at JSON as bytes: it checks a body once, finds its
// top-level members without copying, and writes the body back with members
// left out or put in, so that what nobody changed is forwarded byte for byte.
// It knows no schema and allocates nothing on the hot path.
//
// What passes Parse is JSON as RFC 8259 has it, in valid UTF-8, no deeper and
// with no more keys than allowed. The functions that take a raw value expect
// one that has passed; given anything else they report false and never panic.
package rawjson

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
)

// Limits bound what a body may be.
type Limits struct {
	Depth int // nesting, the outermost object counted; 0 is 64
	Keys  int // object members in the whole body; 0 is 100,000
}

// Defaults of Limits.
const (
	DefaultDepth = 64
	DefaultKeys  = 100_000
)

// Errors of Parse beside *SyntaxError.
var (
	ErrDepth     = errors.New("rawjson: nested too deeply")
	ErrKeys      = errors.New("rawjson: too many keys")
	ErrNotObject = errors.New("rawjson: not an object")
)

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset int    // in bytes, of the first byte that is wrong; the length when the text ends too soon
	Msg    string // a few words, fit for a caller
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.Msg, e.Offset) }

// Doc is a checked JSON object and where its top-level members lie. A Doc may
// be reused: Parse forgets what was before. It refers to the bytes given to
// Parse, which must not change while it is used.
type Doc struct {
	Raw     []byte
	Members []Member
	// Duplicate tells that a key came more than once. The last one counts
	// here; since another reader may take the first, such a body must not be
	// forwarded as it is but written anew by Append.
	Duplicate bool
	// Longest is how many elements the longest array in the body has, at
	// whatever depth: who limits arrays need look only when it is high.
	Longest int

	keys []byte // what keys with escapes unescape to
}

// Member is one top-level member. Key is unescaped; Value is raw, as sent.
type Member struct {
	Key   []byte
	Value []byte
	// Start and End bound the member in Raw, from the key's quote to the end of the value.
	Start, End int
	// Shadowed members have a later one of the same key.
	Shadowed bool
}

// Parse checks b and finds its members. It fails with *SyntaxError, ErrDepth,
// ErrKeys or ErrNotObject.
func (d *Doc) Parse(b []byte, lim Limits) error {
	d.Reset()
	s := newScanner(b, lim)
	s.space()
	if s.peek() != '{' {
		if err := s.value(); err != nil {
			return err
		}
		if err := s.end(); err != nil {
			return err
		}
		return ErrNotObject
	}
	d.Raw = b
	if err := d.members(&s); err != nil {
		d.Reset()
		return err
	}
	return nil
}

// members reads the outermost object and what may follow it.
func (d *Doc) members(s *scanner) error {
	if err := s.enter(); err != nil {
		return err
	}
	for s.more('}', len(d.Members) == 0) {
		start := s.i
		esc, err := s.key()
		if err != nil {
			return err
		}
		quoted := s.b[start:s.keyEnd]
		from := s.i
		if err := s.value(); err != nil {
			return err
		}
		d.Members = append(d.Members, Member{Key: d.unescape(quoted, esc), Value: s.b[from:s.i], Start: start, End: s.i})
	}
	if s.err != nil {
		return s.err
	}
	s.leave()
	if err := s.end(); err != nil {
		return err
	}
	d.Longest = s.longest
	d.shadow()
	return nil
}

// unescape gives the key within quotes. Keys with escapes, which are rare, are
// kept in a buffer of the Doc; when it grows, older keys keep the older one.
func (d *Doc) unescape(quoted []byte, escaped bool) []byte {
	if !escaped {
		return quoted[1 : len(quoted)-1]
	}
	from := len(d.keys)
	d.keys, _ = AppendUnquoted(d.keys, quoted)
	return d.keys[from:len(d.keys):len(d.keys)]
}

// few is how many members are compared with each other; more go through a map.
const few = 24

// shadow marks the members that a later one of the same key replaces.
func (d *Doc) shadow() {
	if len(d.Members) > few {
		d.shadowMany()
		return
	}
	for i := range d.Members {
		for j := i + 1; j < len(d.Members); j++ {
			if bytes.Equal(d.Members[i].Key, d.Members[j].Key) {
				d.Members[i].Shadowed, d.Duplicate = true, true
				break
			}
		}
	}
}

func (d *Doc) shadowMany() {
	last := make(map[string]int, len(d.Members))
	for i := range d.Members {
		key := string(d.Members[i].Key)
		if j, ok := last[key]; ok {
			d.Members[j].Shadowed, d.Duplicate = true, true
		}
		last[key] = i
	}
}

// Reset forgets the body, and keeps the room for the next one unless that is
// uncommonly large.
func (d *Doc) Reset() {
	if cap(d.Members) > 256 || cap(d.keys) > 4096 {
		*d = Doc{}
		return
	}
	d.Raw, d.Duplicate, d.Longest = nil, false, 0
	clear(d.Members)
	d.Members, d.keys = d.Members[:0], d.keys[:0]
}

// Get gives the raw value of a top-level member, or nil when there is none.
func (d *Doc) Get(key string) []byte {
	for i := len(d.Members) - 1; i >= 0; i-- {
		if string(d.Members[i].Key) == key {
			return d.Members[i].Value
		}
	}
	return nil
}

// String gives the text of a member that is a string.
func (d *Doc) String(key string) (string, bool) { return Unquote(d.Get(key)) }

// Bool gives the value of a member that is true or false.
func (d *Doc) Bool(key string) (val, ok bool) {
	switch raw := d.Get(key); string(raw) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// Int gives the value of a member that is a whole number.
func (d *Doc) Int(key string) (int64, bool) { return Int(d.Get(key)) }

// Set is a member to be written.
type Set struct {
	Key   string
	Value []byte // raw JSON
}

// Append writes the object to dst without the members that drop reports and
// with those of set: in the place of the member of that key, else at the end.
// Members that nobody touches keep their bytes and their order. drop may be
// nil; it is not asked about members of set.
func (d *Doc) Append(dst []byte, drop func(key []byte) bool, set []Set) []byte {
	dst = append(dst, '{')
	empty := len(dst)
	for i := range d.Members {
		m := &d.Members[i]
		if m.Shadowed {
			continue
		}
		if s := find(set, m.Key); s != nil {
			dst = appendMember(comma(dst, empty), s)
			continue
		}
		if drop != nil && drop(m.Key) {
			continue
		}
		dst = append(comma(dst, empty), d.Raw[m.Start:m.End]...)
	}
	for i := range set {
		if d.Get(set[i].Key) == nil {
			dst = appendMember(comma(dst, empty), &set[i])
		}
	}
	return append(dst, '}')
}

func comma(dst []byte, empty int) []byte {
	if len(dst) == empty {
		return dst
	}
	return append(dst, ',')
}

func find(set []Set, key []byte) *Set {
	for i := range set {
		if set[i].Key == string(key) {
			return &set[i]
		}
	}
	return nil
}

func appendMember(dst []byte, s *Set) []byte {
	dst = AppendString(dst, s.Key)
	dst = append(dst, ':')
	return append(dst, s.Value...)
}

// pool is the one thing here that outlives a call; it holds no state.
var pool = sync.Pool{New: func() any { return new(Doc) }}

// Get takes a Doc from the pool.
func Get() *Doc { return pool.Get().(*Doc) }

// Put gives a Doc back. Nothing that came from it may be used afterwards.
func Put(d *Doc) {
	d.Reset()
	pool.Put(d)
}

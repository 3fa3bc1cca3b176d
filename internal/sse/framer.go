package sse

import (
	"bytes"
	"errors"
	"slices"
	"unicode/utf8"
)

// What an upstream may send before its stream is given up, and what a Framer
// keeps between two calls for fear of needing it again: little, for there may
// be thousands that wait; more while much arrives at once.
const (
	maxLine  = 8 << 20
	maxEvent = 16 << 20
	keepCap  = 8 << 10
	keepMost = 128 << 10
	patience = 16 // small inputs until more is no longer kept
)

// ErrTooLong is a line over 8 MiB, or an event over 16 MiB.
var ErrTooLong = errors.New("sse: a line of the stream is longer than 8 MiB, or an event than 16 MiB")

// Framer cuts the bytes of an upstream into blocks of whole events. Legal lines
// pass byte for byte, however the input was cut; a line that is no field but a
// JSON object becomes an event, as some servers send their errors bare; other
// lines are dropped and counted. The zero value is ready.
type Framer struct {
	part  []byte // the current line, when it is not complete
	event []byte // the legal lines of the current event
	out   []byte // the block, where it is not the input itself
	small int    // inputs in a row for which out was larger than need be

	begun  bool // the place of a byte order mark is past
	afterC bool // the last line ended in a CR at the end of the input: a LF now belongs to it
	kept   bool // that line was passed on
	broken bool // ErrTooLong was given

	// Of the current event:
	legal int // lines passed
	drops int // lines dropped
	data  bool

	seen    seen
	dropped int
}

// block is the output of one call while it grows: a prefix of the input as
// long as nothing was changed, and a copy from then on.
type block struct {
	in   []byte
	out  []byte
	copy bool
	at   int // of in, what is dealt with
	end  int // of the output, where the last whole event ends
}

// pass appends the next n bytes of the input.
func (o *block) pass(n int) {
	if o.copy {
		o.out = append(o.out, o.in[o.at:o.at+n]...)
	}
	o.at += n
}

// leave parts with the input: the output is a copy from here on.
func (o *block) leave() {
	if !o.copy {
		o.copy = true
		o.out = append(slices.Grow(o.out, len(o.in)), o.in[:o.at]...)
	}
}

func (o *block) length() int {
	if o.copy {
		return len(o.out)
	}
	return o.at
}

// Feed takes the next bytes and gives the events that are complete with them,
// each with its blank line; there may be none. The block is a part of b where
// possible: it is valid until the next call, and as long as b is.
func (f *Framer) Feed(b []byte) ([]byte, error) {
	if f.broken {
		return nil, ErrTooLong
	}
	f.trim(len(b))
	o := block{in: b, out: f.out[:0]}
	switch {
	case len(f.event) > keepCap: // too much to copy at each call
		o.copy, o.out, f.event = true, f.event, f.out
	case len(f.event) > 0 || len(f.part) > 0:
		o.copy = true
		o.out = append(slices.Grow(o.out, len(f.event)+min(len(f.part), keepCap)+len(b)), f.event...)
	}
	f.event = f.event[:0]
	if f.afterC && len(b) > 0 {
		f.afterC = false
		if b[0] == '\n' {
			f.belated(&o)
		}
	}
	for o.at < len(b) {
		n, end := lineEnd(b[o.at:])
		if n == 0 {
			break
		}
		if len(f.part)+n-end > maxLine {
			return f.giveUp(o.done())
		}
		f.afterC = end == 1 && b[o.at+n-1] == '\r' && o.at+n == len(b)
		if len(f.part) > 0 {
			f.part = append(f.part, b[o.at:o.at+n]...)
			o.at += n
			f.line(&o, f.part, end, true)
			f.part = f.part[:0]
			continue
		}
		f.line(&o, b[o.at:o.at+n], end, false)
	}
	return f.settle(&o)
}

// trim lets go of a store that was needed when more arrived than does now.
func (f *Framer) trim(arrived int) {
	if cap(f.out) <= keepCap || arrived > keepCap/2 {
		f.small = 0
	} else {
		f.small++
	}
	if f.small == patience || cap(f.out) > keepMost {
		f.out, f.small = nil, 0
	}
}

// belated passes the LF of a CR LF that was cut in two.
func (f *Framer) belated(o *block) {
	if !f.kept {
		o.leave()
		o.at++
		return
	}
	whole := f.legal == 0 // the line was an event's blank one
	o.pass(1)
	if whole {
		o.end = o.length()
	}
}

// done gives the whole events of the output.
func (o *block) done() []byte {
	if o.copy {
		return o.out[:o.end]
	}
	return o.in[:o.end]
}

// settle keeps what is not complete for the next call.
func (f *Framer) settle(o *block) ([]byte, error) {
	rest := o.in[o.at:]
	open := o.length() - o.end
	if len(f.part)+len(rest) > maxLine || open > maxEvent {
		return f.giveUp(o.done())
	}
	switch {
	case !o.copy:
		f.event = retain(f.event, o.in[o.end:o.at])
	case o.end == 0:
		f.event, f.out = o.out, f.event
	default:
		f.event, f.out = retain(f.event, o.out[o.end:]), o.out
	}
	if len(f.part) == 0 {
		f.part = retain(f.part, rest)
	} else {
		f.part = append(f.part, rest...)
	}
	return o.done(), nil
}

func (f *Framer) giveUp(done []byte) ([]byte, error) {
	*f = Framer{broken: true, seen: f.seen, dropped: f.dropped}
	return done, ErrTooLong
}

// retain makes store hold b, without keeping a large store for nothing.
func retain(store, b []byte) []byte {
	if len(b) == 0 && cap(store) > keepCap {
		return nil
	}
	return append(store[:0], b...)
}

// Finish takes the end of the input. What no blank line has ended is given out
// with one, except a last line that was cut off within its JSON.
func (f *Framer) Finish() []byte {
	if f.broken {
		return nil
	}
	last := f.part
	f.part = nil
	if data, ok := dataOf(last); ok && cutOff(data) {
		last = nil
		f.dropped++
	}
	o := block{copy: true, out: f.event}
	f.event = nil
	if len(last) > 0 {
		f.line(&o, append(last, '\n'), 1, true)
	}
	if f.legal > 0 {
		o.out = append(o.out, blankAfter(o.out))
		f.over(&o)
	}
	return o.out[:o.end]
}

// cutOff reports whether data began as JSON and does not end as JSON does.
func cutOff(data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) > 0 && (data[0] == '{' || data[0] == '[') && data[len(data)-1] != '}' && data[len(data)-1] != ']'
}

// lineEnd gives the length of the first line with its end, and the length of
// that end; zero when there is none yet.
func lineEnd(b []byte) (n, end int) {
	lf := bytes.IndexByte(b, '\n')
	upTo := b
	if lf >= 0 {
		upTo = b[:lf]
	}
	cr := bytes.IndexByte(upTo, '\r')
	switch {
	case cr >= 0 && cr == lf-1:
		return lf + 1, 2
	case cr >= 0:
		return cr + 1, 1
	case lf >= 0:
		return lf + 1, 1
	}
	return 0, 0
}

// line deals with one complete line, which is the next of the input, or apart
// from it.
func (f *Framer) line(o *block, line []byte, end int, apart bool) {
	text := line[:len(line)-end]
	fixed := f.clean(text)
	f.kept = true
	switch kind := kindOf(fixed); {
	case kind == blank && f.legal == 0 && f.drops > 0: // nothing of the event is left
		f.skip(o, line, apart)
		f.drops = 0
		return
	case kind == other:
		f.skip(o, line, apart)
		f.drops++
		f.dropped++
		return
	case kind == object:
		f.skip(o, line, apart)
		f.bare(o, fixed)
		return
	case kind == dataLine:
		f.data = true
		data, _ := dataOf(fixed)
		f.seen.look(data)
		fallthrough
	default:
		f.put(o, line, fixed, end, apart)
		if f.legal++; kind != blank {
			return
		}
	}
	f.over(o)
}

// over ends the current event.
func (f *Framer) over(o *block) {
	o.end = o.length()
	if f.data {
		f.seen.events++
	}
	f.legal, f.drops, f.data = 0, 0, false
}

// blankAfter is the byte that makes an empty line behind b.
func blankAfter(b []byte) byte {
	if len(b) > 0 && b[len(b)-1] == '\r' {
		return '\r'
	}
	return '\n'
}

// put passes a line on.
func (f *Framer) put(o *block, line, fixed []byte, end int, apart bool) {
	same := len(fixed) == len(line)-end && (len(fixed) == 0 || &fixed[0] == &line[0])
	if f.drops > 0 && len(fixed) == 0 && line[0] == '\n' {
		// What was left out may have stood between a CR and this LF.
		o.leave()
		o.out = append(o.out, blankAfter(o.out))
		if !apart {
			o.at++
		}
		return
	}
	if same && !apart {
		o.pass(len(line))
		return
	}
	o.leave()
	o.out = append(o.out, fixed...)
	o.out = append(o.out, line[len(line)-end:]...)
	if !apart {
		o.at += len(line)
	}
}

// skip leaves a line out.
func (f *Framer) skip(o *block, line []byte, apart bool) {
	o.leave()
	f.kept = false
	if !apart {
		o.at += len(line)
	}
}

// bare makes an event of a line that is a JSON object.
func (f *Framer) bare(o *block, text []byte) {
	if f.legal > 0 {
		o.out = append(o.out, blankAfter(o.out))
		f.over(o)
	}
	f.seen.look(text)
	o.out = append(append(append(o.out, "data: "...), text...), "\n\n"...)
	f.data = true
	f.over(o)
	f.drops = 1 // a blank line behind it is not another event's
}

// clean takes out what may not be in a line: a byte order mark at the start of
// the stream, NUL, and what is not UTF-8. It gives text itself if all is well.
func (f *Framer) clean(text []byte) []byte {
	if !f.begun {
		f.begun = true
		text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}
	if bytes.IndexByte(text, 0) >= 0 {
		text = bytes.ReplaceAll(text, []byte{0}, nil)
	}
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	return text
}

// kind is what a line is.
type kind uint8

const (
	other kind = iota
	blank
	field // or a comment
	dataLine
	object
)

func kindOf(line []byte) kind {
	if len(line) == 0 {
		return blank
	}
	if line[0] == 'd' {
		if _, ok := dataOf(line); ok {
			return dataLine
		}
	}
	switch line[0] {
	case ':':
		return field
	case '{':
		if line[len(bytes.TrimRight(line, " \t"))-1] == '}' {
			return object
		}
	}
	name, _, _ := bytes.Cut(line, []byte{':'})
	switch string(name) {
	case "event", "id", "retry":
		return field
	}
	return other
}

// dataOf gives the value of a data line.
func dataOf(line []byte) (data []byte, ok bool) {
	if len(line) < 4 || string(line[:4]) != "data" {
		return nil, false
	}
	if line = line[4:]; len(line) == 0 {
		return nil, true
	}
	if line[0] != ':' {
		return nil, false
	}
	return bytes.TrimPrefix(line[1:], []byte{' '}), true
}

package lexical

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"portico/internal/retrieval/index"
)

// Counts and lengths are in halves of a word: one of the text is two of them,
// one of the context is one.
const (
	inText    = 2
	inContext = 1
	maxLength = 1<<16 - 1
)

// builder makes a segment of one set. It is used again, for one set at a time.
type builder struct {
	*analyser
	context []token

	chunks  []span // of tokens in all
	all     []token
	terms   map[string]int
	builds  int
	entries []entry
	order   []ordered
	lengths []uint16
}

type span struct{ lo, text, hi, votes int }

// entry is a term and where it is.
type entry struct {
	term   string
	docs   []uint32
	counts []uint32
}

// ordered is an entry and the beginning of its term, by which most are in order.
type ordered struct {
	key   uint64
	entry int
}

// sort puts the entries in the order of their terms.
func (b *builder) sort() {
	b.order = b.order[:0]
	for i := range b.entries {
		var key [8]byte
		copy(key[:], b.entries[i].term)
		b.order = append(b.order, ordered{binary.BigEndian.Uint64(key[:]), i})
	}
	slices.SortFunc(b.order, func(x, y ordered) int {
		switch {
		case x.key < y.key:
			return -1
		case x.key > y.key:
			return 1
		}
		return strings.Compare(b.entries[x.entry].term, b.entries[y.entry].term)
	})
}

func newBuilder() *builder { return &builder{analyser: newAnalyser(), terms: map[string]int{}} }

// build makes a segment, in memory, of a set's chunks.
func (b *builder) build(set, seq int64, chunks []index.Text) *segment {
	b.readAll(chunks)
	clear(b.terms)
	b.builds++
	b.entries, b.lengths = b.entries[:0], b.lengths[:0]
	of := 0
	for _, c := range b.chunks {
		of += c.votes
	}
	for doc, c := range b.chunks {
		votes := c.votes
		if votes == 0 {
			votes = of
		}
		l := en
		if votes > 0 {
			l = pt
		}
		n := b.index(uint32(doc), b.all[c.lo:c.text], l, inText) +
			b.index(uint32(doc), b.all[c.text:c.hi], l, inContext)
		b.lengths = append(b.lengths, uint16(min(n, maxLength)))
	}
	b.sort()
	var out bytes.Buffer
	var sets []setEntry
	if len(chunks) > 0 {
		sets = []setEntry{{set, len(chunks)}}
	}
	w := newSegmentWriter(&out, sets, b.lengths)
	var term []byte
	for _, o := range b.order {
		e := &b.entries[o.entry]
		term = append(term[:0], e.term...)
		w.add(term, e.docs, e.counts)
	}
	if err := w.finish(seq); err != nil {
		panic(err) // a buffer takes everything
	}
	s, ok := openSegment(out.Bytes(), true)
	if !ok {
		panic("lexical: a segment cannot be read back")
	}
	return s
}

func (b *builder) readAll(chunks []index.Text) {
	b.all, b.chunks = b.all[:0], b.chunks[:0]
	for _, c := range chunks {
		s := span{lo: len(b.all)}
		b.read(c.Text)
		s.votes = b.votes()
		b.all = append(b.all, b.tokens...)
		s.text = len(b.all)
		b.read(c.Context)
		s.votes += b.votes()
		b.all = append(b.all, b.tokens...)
		s.hi = len(b.all)
		b.chunks = append(b.chunks, s)
	}
}

// index adds words of a chunk and gives their length.
func (b *builder) index(doc uint32, tokens []token, l language, weight uint32) (length int) {
	for _, t := range tokens {
		if !t.extra && t.stop == 0 {
			length += int(weight)
		}
		e := b.entryOf(t.word, l)
		if n := len(e.docs); n > 0 && e.docs[n-1] == doc {
			e.counts[n-1] += weight
			continue
		}
		e.docs = append(e.docs, doc)
		e.counts = append(e.counts, weight)
	}
	return length
}

// entryOf finds, or makes, the entry of a word.
func (b *builder) entryOf(w *word, l language) *entry {
	if w.build != b.builds {
		w.build, w.entry = b.builds, [languages]int{-1, -1}
	}
	at := w.entry[l]
	if at < 0 {
		term := w.stem(l)
		found, ok := b.terms[term]
		if !ok {
			found = b.newEntry(term)
		}
		at, w.entry[l] = found, found
	}
	return &b.entries[at]
}

// newEntry takes an entry, with the room of one that was used before.
func (b *builder) newEntry(term string) int {
	at := len(b.entries)
	if at < cap(b.entries) {
		b.entries = b.entries[:at+1]
		e := &b.entries[at]
		e.term, e.docs, e.counts = term, e.docs[:0], e.counts[:0]
	} else {
		b.entries = append(b.entries, entry{term: term})
	}
	b.terms[term] = at
	return at
}

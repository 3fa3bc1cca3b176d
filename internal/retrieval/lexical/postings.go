package lexical

import (
	"encoding/binary"
	"math/bits"
	"sort"
)

// A list holds where a word is: numbers of chunks, rising, and how much of the
// word each has, in blocks of 128 chunks. A block is the packed differences of
// the numbers, then the packed counts; its first number is counted from the end
// of the block before. A list of more than one block begins with
//
//	the impacts of the whole list          8 bytes
//	for each block: its last number        4 bytes
//	                where it ends          4 bytes, counted from the first block
//	                its impacts            8 bytes
const (
	blockLen  = 128
	skipLen   = 16
	impactLen = 8
	maxDocs   = 1 << 24 // of a segment; keeps sums within 32 bits
)

// list says where the postings of a word are in a segment.
type list struct {
	at, size int64
	docs     int
}

func (l list) blocks() int { return (l.docs + blockLen - 1) / blockLen }

// impacts are up to four pairs of a count and a length code, one byte each, such
// that every chunk has at most the count and at least the length of one of them.
// What they are worth depends on the scope, so that pairs are kept and not scores.
type impacts [impactLen]byte

// manyTimes is the count of those that fit in no byte.
const manyTimes = 255

// appendList encodes a list; lengths are those of all chunks of the segment.
func appendList(b []byte, docs, counts []uint32, lengths []uint16) []byte {
	l := list{docs: len(docs)}
	n := l.blocks()
	head := len(b)
	if n > 1 {
		b = append(b, make([]byte, impactLen+n*skipLen)...)
	}
	start := len(b)
	var deltas [blockLen]uint32
	previous := uint32(0)
	for i := range n {
		block := docs[i*blockLen : min((i+1)*blockLen, len(docs))]
		times := counts[i*blockLen : i*blockLen+len(block)]
		for j, d := range block {
			deltas[j] = d - previous
			previous = d
		}
		b = appendPacked(b, deltas[:len(block)])
		b = appendPacked(b, times)
		if n > 1 {
			skip := b[head+impactLen+i*skipLen:]
			binary.LittleEndian.PutUint32(skip, previous)
			binary.LittleEndian.PutUint32(skip[4:], uint32(len(b)-start))
		}
	}
	if n > 1 {
		putImpacts(b[head:], docs, counts, lengths)
	}
	return b
}

// putImpacts fills in the impacts of a list and of its blocks.
func putImpacts(b []byte, docs, counts []uint32, lengths []uint16) {
	var whole, part frontier
	whole.reset()
	for skip := impactLen; len(docs) > 0; skip += skipLen {
		n := min(blockLen, len(docs))
		part.reset()
		for j, d := range docs[:n] {
			part.add(counts[j], lengths[d])
		}
		whole.join(&part)
		*(*impacts)(b[skip+8:]) = part.impacts()
		docs, counts = docs[n:], counts[n:]
	}
	*(*impacts)(b) = whole.impacts()
}

// frontier finds the least length code of each count.
type frontier struct {
	least [manyTimes + 1]uint8
	top   int
}

const noLength = 255

func (f *frontier) reset() {
	for i := range f.least {
		f.least[i] = noLength
	}
	f.top = 0
}

func (f *frontier) add(count uint32, length uint16) {
	c := min(int(count), manyTimes)
	f.least[c] = min(f.least[c], lengthCode(length))
	f.top = max(f.top, c)
}

func (f *frontier) join(g *frontier) {
	for c := range g.top + 1 {
		f.least[c] = min(f.least[c], g.least[c])
	}
	f.top = max(f.top, g.top)
}

func (f *frontier) impacts() (im impacts) {
	var pairs [manyTimes + 1][2]byte
	n := 0
	least := uint8(noLength)
	for c := f.top; c > 0; c-- {
		if f.least[c] < least {
			least = f.least[c]
			pairs[n] = [2]byte{byte(c), least}
			n++
		}
	}
	groups := min(n, impactLen/2)
	for g := range groups {
		first, last := pairs[g*n/groups], pairs[(g+1)*n/groups-1]
		im[2*g], im[2*g+1] = first[0], last[1]
	}
	return im
}

// lengthCode rounds a length down to a number with five significant bits.
func lengthCode(n uint16) uint8 {
	if n < 16 {
		return uint8(n)
	}
	e := bits.Len16(n) - 5
	return uint8(16*e) + uint8(n>>e)
}

func lengthOf(code uint8) int {
	if code < 16 {
		return int(code)
	}
	e := (code - 16) / 16
	return int(code-16*e) << e
}

// cursor walks through a list, one block after the other.
type cursor struct {
	list
	seg   *segment
	skips []byte // nil where there is one block
	body  int64  // where the first block begins

	block  int // the one that is decoded, or -1
	docs   [blockLen]uint32
	counts [blockLen]uint32
	packed []byte // the counts, until they are decoded
	n      int    // chunks in the block
}

// open places the cursor at the beginning of a list. It reports false where the
// segment is damaged.
func (c *cursor) open(seg *segment, l list) bool {
	c.list, c.seg, c.skips, c.body, c.block, c.n = l, seg, nil, l.at, -1, 0
	if n := l.blocks(); n > 1 {
		head, ok := seg.span(l.at, impactLen+int64(n)*skipLen)
		if !ok {
			return false
		}
		c.skips = head[impactLen:]
		c.body = l.at + int64(len(head))
	}
	return true
}

func (c *cursor) whole() impacts {
	head, _ := c.seg.span(c.at, impactLen)
	return *(*impacts)(head)
}

// last gives the number of the last chunk of a block.
func (c *cursor) last(block int) uint32 {
	if c.skips == nil {
		return uint32(c.seg.docs - 1)
	}
	return binary.LittleEndian.Uint32(c.skips[block*skipLen:])
}

func (c *cursor) end(block int) int64 {
	if c.skips == nil {
		return c.size
	}
	return int64(binary.LittleEndian.Uint32(c.skips[block*skipLen+4:]))
}

func (c *cursor) impacts(block int) impacts {
	return *(*impacts)(c.skips[block*skipLen+8:])
}

// find gives the first block from the given one on that may hold a chunk ≥ doc;
// blocks() where there is none.
func (c *cursor) find(block int, doc uint32) int {
	n := c.blocks()
	for step := 0; step < 4; step++ {
		if block >= n || c.last(block) >= doc {
			return block
		}
		block++
	}
	return block + sort.Search(n-block, func(i int) bool { return c.last(block+i) >= doc })
}

// load decodes the numbers of a block. It reports false where it is damaged.
func (c *cursor) load(block int) bool {
	if c.block == block {
		return true
	}
	var start int64
	base := uint32(0)
	if block > 0 {
		start, base = c.end(block-1), c.last(block-1)
	}
	b, ok := c.seg.span(c.body+start, c.end(block)-start)
	if !ok {
		return false
	}
	n := min(blockLen, c.list.docs-block*blockLen)
	size := packedLen(b, n)
	if size < 0 || b[0] > 24 || packedLen(b[size:], n) < 0 || base >= maxDocs {
		return c.seg.damaged() // also what could overflow below
	}
	unpack(c.docs[:n], b)
	for i := range c.docs[:n] {
		base += c.docs[i]
		c.docs[i] = base
	}
	if base > c.last(block) || int(base) >= c.seg.docs {
		return c.seg.damaged()
	}
	c.block, c.n, c.packed = block, n, b[size:]
	return true
}

// times gives the counts of the block that was loaded.
func (c *cursor) times() []uint32 {
	if c.packed != nil {
		unpack(c.counts[:c.n], c.packed)
		c.packed = nil
	}
	return c.counts[:c.n]
}

// place gives where the first chunk ≥ doc is in the loaded block.
func (c *cursor) place(doc uint32) int {
	lo, hi := 0, c.n
	for lo < hi {
		if m := (lo + hi) / 2; c.docs[m] < doc {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

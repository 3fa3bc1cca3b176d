package lexical

import (
	"encoding/binary"
	"hash/crc32"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// A segment is an index of some sets that never changes: bytes in memory, or a
// file that is mapped. Its parts are
//
//	lists        the postings, in the order of words
//	words        the dictionary, in blocks of 16 words, each block beginning
//	             with where the list of its first word is; a word is what it
//	             shares with the one before, the rest, its chunks, its list's size
//	places       where each block of words begins, 4 bytes
//	lengths      of each chunk, in halves of a word, 2 bytes
//	sets         the id of each, rising, 8 bytes; the number of its first chunk,
//	             4 bytes; the sum of lengths before it, 8 bytes; the latter two
//	             have one more
//	sums         CRC-32C of each page of 16 KiB of the above, 4 bytes
//	foot         of fixed size
//
// Numbers are little-endian. A page is checked when it is first looked at, so
// that opening costs the same whatever the size.
type segment struct {
	foot
	data    []byte
	name    string // of its file, "" in memory
	unmap   func() error
	refs    atomic.Int32
	busy    bool            // being written or merged; owned by the index
	checked []atomic.Uint64 // a bit for each page; nil in memory
	broken  atomic.Bool
	docs    int
	once    sync.Once

	places, lengths, ids, firsts, sums []byte
}

const (
	pageLen   = 16 << 10
	wordBlock = 16
	magic     = "Portlex1"
)

type foot struct {
	Magic                                       [8]byte
	Docs, Sets, Words                           uint64
	WordsAt, PlacesAt, LengthsAt, SetsAt, SumAt uint64
	Seq                                         int64 // the greatest of its sets
	Sum                                         uint32
	FootSum                                     uint32 // of the foot before it
}

var footLen = binary.Size(foot{})

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openSegment makes a segment of its bytes. It reports false where they are
// none. In memory they are trusted.
func openSegment(data []byte, trusted bool) (*segment, bool) {
	s := &segment{data: data}
	n := uint64(len(data))
	if len(data) < footLen {
		return nil, false
	}
	tail := data[len(data)-footLen:]
	if _, err := binary.Decode(tail, binary.LittleEndian, &s.foot); err != nil {
		return nil, false
	}
	f := &s.foot
	if string(f.Magic[:]) != magic || crc32.Checksum(tail[:footLen-4], castagnoli) != f.FootSum {
		return nil, false
	}
	pages := (f.SumAt + pageLen - 1) / pageLen
	blocks := (f.Words + wordBlock - 1) / wordBlock
	if f.Docs > maxDocs || f.Sets > f.Docs || f.WordsAt > f.PlacesAt || f.PlacesAt > f.LengthsAt ||
		f.SumAt > n || f.PlacesAt+4*blocks != f.LengthsAt || f.LengthsAt+2*f.Docs != f.SetsAt ||
		f.SetsAt+20*f.Sets+12 != f.SumAt || f.SumAt+4*pages+uint64(footLen) != n {
		return nil, false
	}
	sums := data[f.SumAt : f.SumAt+4*pages]
	if crc32.Checksum(sums, castagnoli) != f.Sum {
		return nil, false
	}
	s.docs = int(f.Docs)
	s.places = data[f.PlacesAt:f.LengthsAt]
	s.lengths = data[f.LengthsAt:f.SetsAt]
	s.ids = data[f.SetsAt : f.SetsAt+8*f.Sets]
	s.firsts = data[f.SetsAt+8*f.Sets : f.SetsAt+12*f.Sets+4]
	s.sums = data[f.SetsAt+12*f.Sets+4 : f.SumAt]
	if !trusted {
		s.checked = make([]atomic.Uint64, (pages+63)/64)
	}
	s.refs.Store(1)
	return s, true
}

func (s *segment) damaged() bool {
	s.broken.Store(true)
	return false
}

// span gives a range of the segment's bytes once its pages are known to be
// whole.
func (s *segment) span(at, n int64) ([]byte, bool) {
	if at < 0 || n < 0 || uint64(at) > s.SumAt || uint64(n) > s.SumAt-uint64(at) {
		return nil, s.damaged()
	}
	if s.checked != nil {
		for page := at / pageLen; page*pageLen < at+n; page++ {
			if s.checked[page/64].Load()&(1<<(page%64)) == 0 && !s.check(page) {
				return nil, s.damaged()
			}
		}
	}
	return s.data[at : at+n : at+n], true
}

func (s *segment) check(page int64) bool {
	want := binary.LittleEndian.Uint32(s.data[int64(s.SumAt)+4*page:])
	if crc32.Checksum(s.data[page*pageLen:min((page+1)*pageLen, int64(s.SumAt))], castagnoli) != want {
		return false
	}
	s.checked[page/64].Or(1 << (page % 64))
	return true
}

// ready checks, once, what every search reads: lengths, sets and places.
func (s *segment) ready() bool {
	s.once.Do(func() {
		if s.inspect() != nil {
			s.damaged()
		}
	})
	return !s.broken.Load()
}

func (s *segment) inspect() (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(&err)
	if _, ok := s.span(int64(s.PlacesAt), int64(s.SumAt-s.PlacesAt)); !ok {
		return ErrBroken
	}
	if s.first(0) != 0 || int(s.first(s.sets())) != s.docs {
		return ErrBroken
	}
	for i := range s.sets() {
		if s.first(i+1) < s.first(i) || i > 0 && s.id(i) <= s.id(i-1) || s.sum(i+1) < s.sum(i) {
			return ErrBroken
		}
	}
	return nil
}

func (s *segment) sets() int         { return len(s.ids) / 8 }
func (s *segment) id(i int) int64    { return int64(binary.LittleEndian.Uint64(s.ids[8*i:])) }
func (s *segment) first(i int) int32 { return int32(binary.LittleEndian.Uint32(s.firsts[4*i:])) }
func (s *segment) sum(i int) int64   { return int64(binary.LittleEndian.Uint64(s.sums[8*i:])) }
func (s *segment) length(doc uint32) uint16 {
	return binary.LittleEndian.Uint16(s.lengths[2*doc:])
}

// allSets gives the ids of all sets.
func (s *segment) allSets() (ids []int64, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(&err)
	ids = make([]int64, s.sets())
	for i := range ids {
		ids[i] = s.id(i)
	}
	return ids, nil
}

// setFrom gives the place of the first set from lo on with at least this id.
func (s *segment) setFrom(lo int, id int64) int {
	hi := s.sets()
	for step := 1; lo+step < hi; step *= 2 {
		if s.id(lo+step) >= id {
			hi = lo + step
			break
		}
	}
	for lo < hi {
		if m := int(uint(lo+hi) / 2); s.id(m) < id {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// set gives the place of a set.
func (s *segment) set(id int64) (int, bool) {
	if !s.ready() {
		return 0, false
	}
	i := s.setFrom(0, id)
	return i, i < s.sets() && s.id(i) == id
}

// setOf gives the place of the set that a chunk is in.
func (s *segment) setOf(doc uint32) int {
	lo, hi := 0, s.sets()
	for lo < hi {
		if m := (lo + hi) / 2; uint32(s.first(m+1)) <= doc {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// find looks a word up, with a walker to use.
func (s *segment) find(w *words, term string) (list, bool) {
	lo, hi := 0, len(s.places)/4
	for lo < hi { // the first block that begins after the word
		m := (lo + hi) / 2
		if w.begin(s, m); !w.next() {
			return list{}, false
		}
		if string(w.term) > term {
			hi = m
		} else {
			lo = m + 1
		}
	}
	if lo == 0 {
		return list{}, false
	}
	w.begin(s, lo-1)
	for range wordBlock {
		if !w.next() {
			break
		}
		switch {
		case string(w.term) == term:
			return w.list, true
		case string(w.term) > term:
			return list{}, false
		}
	}
	return list{}, false
}

// words walks through the dictionary from the beginning of a block on.
type words struct {
	seg   *segment
	block int // the next one
	left  int // words in this one
	rest  []byte
	term  []byte
	list  list
}

// maxTerm bounds the bytes of an indexed word; a stem may be longer than its
// word.
const maxTerm = maxWhole + 64

// begin places the walker at the beginning of a block.
func (w *words) begin(seg *segment, block int) {
	w.seg, w.block, w.left = seg, block, 0
}

// next reports false at the end, and where the segment is damaged.
func (w *words) next() bool {
	if w.left == 0 && !w.open() {
		return false
	}
	w.left--
	shared, a := binary.Uvarint(w.rest)
	if a <= 0 || shared > uint64(len(w.term)) {
		return w.seg.damaged()
	}
	n, b := binary.Uvarint(w.rest[a:])
	if b <= 0 || n > uint64(len(w.rest)-a-b) || shared+n > maxTerm {
		return w.seg.damaged()
	}
	w.term = append(w.term[:shared], w.rest[a+b:a+b+int(n)]...)
	w.rest = w.rest[a+b+int(n):]
	docs, a := binary.Uvarint(w.rest)
	if a <= 0 || docs == 0 || docs > uint64(w.seg.docs) {
		return w.seg.damaged()
	}
	size, b := binary.Uvarint(w.rest[a:])
	if b <= 0 || size > w.seg.WordsAt {
		return w.seg.damaged()
	}
	w.rest = w.rest[a+b:]
	w.list = list{at: w.list.at + w.list.size, size: int64(size), docs: int(docs)}
	return true
}

func (w *words) open() bool {
	s := w.seg
	blocks := len(s.places) / 4
	if w.block >= blocks {
		return false
	}
	lo, hi := int64(binary.LittleEndian.Uint32(s.places[4*w.block:])), int64(s.PlacesAt-s.WordsAt)
	if w.block+1 < blocks {
		hi = int64(binary.LittleEndian.Uint32(s.places[4*w.block+4:]))
	}
	rest, ok := s.span(int64(s.WordsAt)+lo, hi-lo)
	if !ok {
		return false
	}
	at, n := binary.Uvarint(rest)
	if n <= 0 || at > s.WordsAt {
		return s.damaged()
	}
	w.left = min(wordBlock, int(s.Words)-w.block*wordBlock)
	w.rest, w.term, w.list = rest[n:], w.term[:0], list{at: int64(at)}
	w.block++
	return true
}

// hold and drop count who reads the segment; with the last one it is unmapped.
func (s *segment) hold() { s.refs.Add(1) }

func (s *segment) drop() {
	if s.refs.Add(-1) == 0 && s.unmap != nil {
		_ = s.unmap() // nothing can be done about it, and nothing reads it
	}
}

package lexical

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// setEntry is one set of a segment that is being written.
type setEntry struct {
	id     int64
	chunks int
}

// segmentWriter writes a segment from front to back. Only the dictionary is
// kept in memory until the end.
type segmentWriter struct {
	out     io.Writer
	page    []byte // what is not yet written, less than a page
	crcs    []byte
	at      int64
	err     error
	words   []byte
	places  []byte
	n       int
	last    []byte
	spare   []byte
	sets    []setEntry
	lengths []uint16
}

func newSegmentWriter(out io.Writer, sets []setEntry, lengths []uint16) *segmentWriter {
	return &segmentWriter{out: out, sets: sets, lengths: lengths, page: make([]byte, 0, pageLen)}
}

func (w *segmentWriter) write(b []byte) {
	w.at += int64(len(b))
	for len(b) > 0 {
		n := min(len(b), pageLen-len(w.page))
		w.page = append(w.page, b[:n]...)
		b = b[n:]
		if len(w.page) == pageLen {
			w.flush()
		}
	}
}

func (w *segmentWriter) flush() {
	if len(w.page) == 0 {
		return
	}
	w.crcs = binary.LittleEndian.AppendUint32(w.crcs, crc32.Checksum(w.page, castagnoli))
	w.put(w.page)
	w.page = w.page[:0]
}

func (w *segmentWriter) put(b []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(b)
	}
}

// add writes the list of a word. Words come in rising order.
func (w *segmentWriter) add(term []byte, docs, counts []uint32) {
	w.spare = appendList(w.spare[:0], docs, counts, w.lengths)
	shared := 0
	if w.n%wordBlock == 0 {
		w.places = binary.LittleEndian.AppendUint32(w.places, uint32(len(w.words)))
		w.words = binary.AppendUvarint(w.words, uint64(w.at))
	} else {
		for shared < min(len(term), len(w.last)) && term[shared] == w.last[shared] {
			shared++
		}
	}
	w.words = binary.AppendUvarint(w.words, uint64(shared))
	w.words = binary.AppendUvarint(w.words, uint64(len(term)-shared))
	w.words = append(w.words, term[shared:]...)
	w.words = binary.AppendUvarint(w.words, uint64(len(docs)))
	w.words = binary.AppendUvarint(w.words, uint64(len(w.spare)))
	w.last = append(w.last[:0], term...)
	w.n++
	w.write(w.spare)
}

// finish writes the rest.
func (w *segmentWriter) finish(seq int64) error {
	f := foot{Docs: uint64(len(w.lengths)), Sets: uint64(len(w.sets)), Words: uint64(w.n), Seq: seq}
	copy(f.Magic[:], magic)
	f.WordsAt = uint64(w.at)
	w.write(w.words)
	f.PlacesAt = uint64(w.at)
	w.write(w.places)
	f.LengthsAt = uint64(w.at)
	b := w.spare[:0]
	for _, n := range w.lengths {
		b = binary.LittleEndian.AppendUint16(b, n)
	}
	w.write(b)
	f.SetsAt = uint64(w.at)
	w.write(w.directory(b[:0]))
	f.SumAt = uint64(w.at)
	w.flush()
	f.Sum = crc32.Checksum(w.crcs, castagnoli)
	w.put(w.crcs)
	tail, err := binary.Append(nil, binary.LittleEndian, f)
	if err != nil {
		return err
	}
	end := len(tail) - 4
	binary.LittleEndian.PutUint32(tail[end:], crc32.Checksum(tail[:end], castagnoli))
	w.put(tail)
	return w.err
}

func (w *segmentWriter) directory(b []byte) []byte {
	for _, s := range w.sets {
		b = binary.LittleEndian.AppendUint64(b, uint64(s.id))
	}
	first := 0
	for _, s := range w.sets {
		b = binary.LittleEndian.AppendUint32(b, uint32(first))
		first += s.chunks
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(first))
	sum, at := uint64(0), 0
	for _, s := range w.sets {
		b = binary.LittleEndian.AppendUint64(b, sum)
		for range s.chunks {
			sum += uint64(w.lengths[at])
			at++
		}
	}
	return binary.LittleEndian.AppendUint64(b, sum)
}

package vector

import (
	"bufio"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"unsafe"
)

// segment is a file with a part, which never changes:
//
//	head    72 bytes, see below
//	space   name, padded
//	sets    int64 each, rising
//	starts  uint32 each, one more than sets, padded
//	codes   blocks of eight vectors, 64 bits a word
//	small   int8
//	scales  float32
//	halves  float16: read, not mapped
//
// Numbers are in the order of bytes of the machine, and a file from another
// kind of machine counts as broken. Each section begins at a multiple of 64.
type segment struct {
	part
	name     string // of the file
	file     *os.File
	mapped   []byte
	sections sections
	bodySum  uint32
}

const (
	magic    = 0x0001_6365_7650 // "Pvec", version 1
	headSize = 72
)

var table = crc32.MakeTable(crc32.Castagnoli)

// head is what a file begins with.
type head struct {
	magic       uint64
	dims, space uint64 // dimensions, bytes of the name
	sets, rows  uint64
	size        uint64 // of the file
	bodySum     uint64 // of what comes after starts
	zero        uint64
	headSum     uint64 // of all before and, beside it, name, sets and starts
}

func (h *head) raw() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(h)), headSize) }

// sum is what headSum should be.
func (h *head) sum(directory []byte) uint64 {
	return uint64(crc32.Update(crc32.Checksum(h.raw()[:headSize-8], table), table, directory))
}

// sections are where they begin.
type sections struct{ space, sets, starts, codes, small, scales, halves, end int64 }

func layOut(s shape, space, sets, rows int) sections {
	var at sections
	next := func(from int64, size int) int64 { return (from + int64(size) + 63) &^ 63 }
	at.space = headSize
	at.sets = next(at.space, space)
	at.starts = next(at.sets, 8*sets)
	at.codes = next(at.starts, 4*(sets+1))
	at.small = next(at.codes, 8*s.blocks(rows))
	at.scales = next(at.small, s.stride*rows)
	at.halves = next(at.scales, 4*rows)
	at.end = at.halves + int64(2*s.dims)*int64(rows)
	return at
}

// values is a section of a mapped file.
func values[T any](mapped []byte, at int64, n int) []T {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&mapped[at])), n)
}

// raw is the bytes of values.
func raw[T any](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}

// openSegment maps a file and checks what searches rely on: sizes, sets and
// their rows. The vectors themselves are checked when they are merged: opening
// must not depend on how many there are.
func openSegment(path, name string) (_ *segment, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrBroken
	}
	if err != nil {
		return nil, err
	}
	s := &segment{name: name, file: f}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	var h head
	if _, err := f.ReadAt(h.raw(), 0); err != nil {
		return nil, ErrBroken
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	const most = 1 << 32
	if h.magic != magic || h.size != uint64(info.Size()) || h.dims == 0 || h.dims > maxDims || h.space > most || h.sets > most || h.rows >= most {
		return nil, ErrBroken
	}
	s.shape, s.n, s.bodySum = shapeOf(int(h.dims)), int(h.rows), uint32(h.bodySum)
	s.sections = layOut(s.shape, int(h.space), int(h.sets), s.n)
	if s.sections.end != info.Size() {
		return nil, ErrBroken
	}
	if s.mapped, err = mapFile(f, int(s.sections.halves)); err != nil {
		return nil, err
	}
	return s, s.attach(&h)
}

// attach points the part at the mapped file and checks its directory.
func (s *segment) attach(h *head) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(&err)
	at := s.sections
	if h.sum(s.mapped[at.space:at.codes]) != h.headSum {
		return ErrBroken
	}
	s.space = string(s.mapped[at.space : at.space+int64(h.space)])
	// The directory was checked and has to stay as it was, whatever becomes of
	// the file.
	s.sets = slices.Clone(values[int64](s.mapped, at.sets, int(h.sets)))
	s.starts = slices.Clone(values[uint32](s.mapped, at.starts, int(h.sets)+1))
	s.codes = values[uint64](s.mapped, at.codes, s.blocks(s.n))
	s.small = values[int8](s.mapped, at.small, s.stride*s.n)
	s.scales = values[float32](s.mapped, at.scales, s.n)
	s.part.file = s
	if s.starts[0] != 0 || int(s.starts[len(s.sets)]) != s.n || !slices.IsSorted(s.starts) || !slices.IsSorted(s.sets) {
		return ErrBroken
	}
	return nil
}

func (s *segment) close() error {
	return errors.Join(unmapFile(s.mapped), s.file.Close())
}

func (s *segment) readHalves(dst []byte, row int) error {
	_, err := s.file.ReadAt(dst, s.sections.halves+int64(row)*int64(2*s.dims))
	if errors.Is(err, io.EOF) {
		return ErrBroken
	}
	if err != nil {
		return fmt.Errorf("vector: the index cannot be read: %w", err)
	}
	return nil
}

// verify reads all of the file and compares it with what was written.
func (s *segment) verify() error {
	sum := crc32.New(table)
	if _, err := io.Copy(sum, io.NewSectionReader(s.file, s.sections.codes, s.sections.end-s.sections.codes)); err != nil {
		return err
	}
	if sum.Sum32() != s.bodySum {
		return ErrBroken
	}
	return nil
}

// source is one set in a part.
type source struct {
	*part
	set int // its place in sets
}

func (s source) rows() span { return span{int(s.starts[s.set]), int(s.starts[s.set+1])} }

// segmentWriter writes the sections of a file one after another.
type segmentWriter struct {
	file *os.File
	out  *bufio.Writer
	sum  hash.Hash32
	at   int64
	err  error
}

func (w *segmentWriter) write(b []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(b)
		w.sum.Write(b)
		w.at += int64(len(b))
	}
}

func (w *segmentWriter) padTo(at int64) {
	var zeros [64]byte
	for w.err == nil && w.at < at {
		w.write(zeros[:min(64, at-w.at)])
	}
}

// writeSegment writes sets, of one space and in the order of their ids, into a
// new file, and does not return before it is on the disk.
func writeSegment(path, space string, s shape, sets []source) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	ids, starts := make([]int64, len(sets)), make([]uint32, len(sets)+1)
	for i, src := range sets {
		r := src.rows()
		ids[i], starts[i+1] = src.sets[src.set], starts[i]+uint32(r.to-r.from)
	}
	rows := int(starts[len(sets)])
	at := layOut(s, len(space), len(sets), rows)
	h := head{magic: magic, dims: uint64(s.dims), space: uint64(len(space)), sets: uint64(len(sets)), rows: uint64(rows), size: uint64(at.end)}

	w := &segmentWriter{file: f, out: bufio.NewWriterSize(io.NewOffsetWriter(f, at.space), 1<<20), sum: crc32.New(table), at: at.space}
	w.write([]byte(space))
	w.padTo(at.sets)
	w.write(raw(ids))
	w.padTo(at.starts)
	w.write(raw(starts))
	w.padTo(at.codes)
	w.sum = crc32.New(table)
	w.body(s, sets, at)
	if w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err != nil {
		return w.err
	}
	h.bodySum = uint64(w.sum.Sum32())
	directory := make([]byte, at.codes-at.space)
	if _, err := f.ReadAt(directory, at.space); err != nil {
		return err
	}
	h.headSum = h.sum(directory)
	if _, err := f.WriteAt(h.raw(), 0); err != nil {
		return err
	}
	return f.Sync()
}

// body writes codes, small, scales and halves.
func (w *segmentWriter) body(s shape, sets []source, at sections) {
	block, code, lane := make([]uint64, lanes*s.words), make([]uint64, s.words), 0
	for _, src := range sets {
		for row := src.rows().from; row < src.rows().to; row++ {
			src.code(code, row)
			for j, word := range code {
				block[j*lanes+lane] = word
			}
			if lane++; lane == lanes {
				w.write(raw(block))
				clear(block)
				lane = 0
			}
		}
	}
	if lane > 0 {
		w.write(raw(block))
	}
	w.padTo(at.small)
	for _, src := range sets {
		r := src.rows()
		w.write(raw(src.small[r.from*s.stride : r.to*s.stride]))
	}
	w.padTo(at.scales)
	for _, src := range sets {
		r := src.rows()
		w.write(raw(src.scales[r.from:r.to]))
	}
	w.padTo(at.halves)
	size := 2 * s.dims
	buf := make([]byte, max(1, (256<<10)/size)*size)
	for _, src := range sets {
		for r := src.rows(); r.from < r.to && w.err == nil; {
			n := min(r.to-r.from, len(buf)/size)
			if err := src.readHalves(buf[:n*size], r.from); err != nil {
				w.err = err
				return
			}
			w.write(buf[:n*size])
			r.from += n
		}
	}
}

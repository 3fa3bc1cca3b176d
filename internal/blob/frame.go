package blob

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"sync"
)

// A frame is how bytes are kept, so that no flipped bit is ever given out and
// yet a part can be read without the whole:
//
//	the bytes
//	CRC-32C of each 64 KiB of them, little-endian, 4 bytes each
//	CRC-32C of the checksums and of what follows here: 4 bytes
//	the number of bytes: 8 bytes
//	"PTCBLOB1"
//
// Every length of a frame belongs to one number of bytes.
const (
	bufSize  = 64 << 10
	block    = 64 << 10
	sumSize  = 4
	tailSize = 4 + 8 + len(frameMark)

	frameMark = "PTCBLOB1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// framer writes a frame.
type framer struct {
	w    io.Writer
	size int64
	sum  uint32 // of the block begun
	sums []byte
}

func newFramer(w io.Writer) *framer { return &framer{w: w} }

// Write is for the bytes.
func (f *framer) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), block-int(f.size%block))
		f.sum = crc32.Update(f.sum, castagnoli, rest[:n])
		if f.size += int64(n); f.size%block == 0 {
			f.endBlock()
		}
		rest = rest[n:]
	}
	return f.w.Write(p)
}

func (f *framer) endBlock() {
	f.sums = binary.LittleEndian.AppendUint32(f.sums, f.sum)
	f.sum = 0
}

// finish writes what stands behind the bytes.
func (f *framer) finish() error {
	if f.size%block != 0 {
		f.endBlock()
	}
	_, err := f.w.Write(appendTail(f.sums, f.size))
	return err
}

// appendTail completes checksums.
func appendTail(sums []byte, size int64) []byte {
	end := append(binary.LittleEndian.AppendUint64(nil, uint64(size)), frameMark...)
	sum := crc32.Update(crc32.Checksum(sums, castagnoli), castagnoli, end)
	return append(binary.LittleEndian.AppendUint32(sums, sum), end...)
}

// payload is the number of bytes in a frame of a length, -1 when none has it.
func payload(length int64) int64 {
	length -= int64(tailSize)
	if length < 0 {
		return -1
	}
	blocks := (length + block + sumSize - 1) / (block + sumSize)
	size := length - blocks*sumSize
	if size < 0 || (size+block-1)/block != blocks {
		return -1
	}
	return size
}

// content reads a frame.
type content struct {
	f    *os.File
	size int64
	sums []byte
	at   int64 // of the next Read

	mu  sync.Mutex // of what follows, for ReadAt may be called by many at once
	no  int64      // the block in buf, or -1
	buf []byte
}

// openFrame checks what stands behind the bytes.
func openFrame(f *os.File) (*content, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, diskFault(err)
	}
	size := payload(info.Size())
	if size < 0 || !info.Mode().IsRegular() {
		return nil, ErrDamaged
	}
	tail := make([]byte, info.Size()-size)
	if _, err := f.ReadAt(tail, size); err != nil {
		return nil, diskFault(err)
	}
	sums := tail[:len(tail)-tailSize]
	if string(appendTail(append([]byte(nil), sums...), size)) != string(tail) {
		return nil, ErrDamaged
	}
	return &content{f: f, size: size, sums: sums, no: -1}, nil
}

// ReadAt implements io.ReaderAt: it reads whole blocks and gives nothing of
// one that is not as it was put.
func (c *content) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("blob: negative offset")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for n < len(p) {
		if off+int64(n) >= c.size {
			return n, io.EOF
		}
		at := off + int64(n)
		if err := c.load(at / block); err != nil {
			return n, err
		}
		n += copy(p[n:], c.buf[at%block:])
	}
	return n, nil
}

// load brings one block into memory.
func (c *content) load(no int64) error {
	if c.no == no {
		return nil
	}
	if c.buf == nil {
		c.buf = make([]byte, min(block, c.size))
	}
	c.no = -1
	c.buf = c.buf[:min(block, c.size-no*block)]
	if _, err := c.f.ReadAt(c.buf, no*block); err != nil && !errors.Is(err, io.EOF) {
		return diskFault(err)
	}
	if crc32.Checksum(c.buf, castagnoli) != binary.LittleEndian.Uint32(c.sums[no*sumSize:]) {
		return ErrDamaged
	}
	c.no = no
	return nil
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (int, error) {
	if c.at >= c.size {
		return 0, io.EOF
	}
	n, err := c.ReadAt(p[:min(int64(len(p)), c.size-c.at)], c.at)
	c.at += int64(n)
	return n, err
}

// Seek implements io.Seeker.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, errors.New("blob: negative position")
	}
	c.at = offset
	return offset, nil
}

// Close implements io.Closer.
func (c *content) Close() error { return c.f.Close() }

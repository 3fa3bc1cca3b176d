package lexical

import (
	"encoding/binary"
	"math/bits"
)

// A packed run of numbers is one byte for their width in bits and then the
// numbers, least significant bit first.

// maxBits bounds the width, so that a number can be read from eight bytes.
const maxBits = 32

func appendPacked(b []byte, numbers []uint32) []byte {
	var all uint32
	for _, n := range numbers {
		all |= n
	}
	width := bits.Len32(all)
	b = append(b, byte(width))
	var word uint64
	filled := 0
	for _, n := range numbers {
		word |= uint64(n) << filled
		for filled += width; filled >= 8; filled -= 8 {
			b = append(b, byte(word))
			word >>= 8
		}
	}
	if filled > 0 {
		b = append(b, byte(word))
	}
	return b
}

// packedLen gives the length in bytes of n packed numbers that begin in b, or
// -1 where b does not hold them.
func packedLen(b []byte, n int) int {
	if len(b) == 0 || b[0] > maxBits {
		return -1
	}
	size := 1 + (int(b[0])*n+7)/8
	if size > len(b) {
		return -1
	}
	return size
}

// unpack reads len(out) numbers of b, which packedLen has measured. More of b
// may follow them.
func unpack(out []uint32, b []byte) {
	width := int(b[0])
	if width == 0 {
		clear(out)
		return
	}
	b = b[1:]
	mask := uint64(1)<<width - 1
	at, i := 0, 0
	for ; i+4 <= len(out) && (at+3*width)>>3+8 <= len(b); i += 4 {
		four := out[i : i+4 : i+4]
		four[0] = uint32(binary.LittleEndian.Uint64(b[at>>3:]) >> (at & 7) & mask)
		at += width
		four[1] = uint32(binary.LittleEndian.Uint64(b[at>>3:]) >> (at & 7) & mask)
		at += width
		four[2] = uint32(binary.LittleEndian.Uint64(b[at>>3:]) >> (at & 7) & mask)
		at += width
		four[3] = uint32(binary.LittleEndian.Uint64(b[at>>3:]) >> (at & 7) & mask)
		at += width
	}
	for ; i < len(out) && at>>3+8 <= len(b); i++ {
		out[i] = uint32(binary.LittleEndian.Uint64(b[at>>3:]) >> (at & 7) & mask)
		at += width
	}
	if i == len(out) {
		return
	}
	var tail [16]byte // the last numbers, where eight bytes are no longer there
	from := at >> 3
	copy(tail[:], b[from:])
	for ; i < len(out); i++ {
		out[i] = uint32(binary.LittleEndian.Uint64(tail[at>>3-from:]) >> (at & 7) & mask)
		at += width
	}
}

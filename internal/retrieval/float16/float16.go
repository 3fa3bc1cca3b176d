// Package float16 keeps vectors in half the bytes: IEEE 754 binary16, little
// endian. Of a unit vector it keeps what matters: products change by less than
// one part in a thousand.
package float16

import (
	"encoding/binary"
	"math"
)

// Append appends numbers; those too large for the format become the largest.
// It stops at the first that is not finite and gives false.
func Append(dst []byte, vector []float32) ([]byte, bool) {
	for _, f := range vector {
		bits := math.Float32bits(f)
		if bits&0x7f80_0000 == 0x7f80_0000 {
			return dst, false
		}
		dst = binary.LittleEndian.AppendUint16(dst, half(bits))
	}
	return dst, true
}

// Values appends the numbers in data to dst.
func Values(dst []float32, data []byte) []float32 {
	for ; len(data) >= 2; data = data[2:] {
		dst = append(dst, single(binary.LittleEndian.Uint16(data)))
	}
	return dst
}

// Dot is the scalar product of a vector with the numbers in data.
func Dot(vector []float32, data []byte) float32 {
	var a, b, c, d float32
	for len(vector) >= 4 && len(data) >= 8 {
		bits := binary.LittleEndian.Uint64(data)
		a += vector[0] * single(uint16(bits))
		b += vector[1] * single(uint16(bits>>16))
		c += vector[2] * single(uint16(bits>>32))
		d += vector[3] * single(uint16(bits>>48))
		vector, data = vector[4:], data[8:]
	}
	for i := 0; i < len(vector) && len(data) >= 2; i++ {
		a += vector[i] * single(binary.LittleEndian.Uint16(data))
		data = data[2:]
	}
	return (a + b) + (c + d)
}

// half rounds a finite float32 to the nearest float16, ties to even.
func half(bits uint32) uint16 {
	sign := uint16(bits >> 16 & 0x8000)
	bits &= 0x7fff_ffff
	switch {
	case bits >= 0x477f_f000: // 65,520 would round to infinity
		return sign | 0x7bff
	case bits < 0x3880_0000: // below 2^-14: adding 0.5 shifts and rounds
		return sign | uint16(math.Float32bits(math.Float32frombits(bits)+0.5)-0x3f00_0000)
	}
	// The exponent is rebased from 127 to 15, and 13 bits of the fraction go.
	return sign | uint16((bits-0x3800_0000+0xfff+bits>>13&1)>>13)
}

// single is half's inverse.
func single(h uint16) float32 {
	const rebase = 1 << 112 // 2^112, exact
	f := math.Float32frombits(uint32(h&0x7fff)<<13) * rebase
	return math.Float32frombits(math.Float32bits(f) | uint32(h&0x8000)<<16)
}

package vector

import (
	"math"
	"math/bits"
)

// shape is how vectors of a number of dimensions are laid out.
type shape struct {
	dims   int
	words  int // of a code
	stride int // bytes of an int8 vector: a multiple of 16, the rest is 0
}

func shapeOf(dims int) shape {
	return shape{dims, (dims + 63) / 64, (dims + 15) &^ 15}
}

// lanes is how many codes are interleaved word by word: what one instruction
// of the scan takes.
const lanes = 8

// blocks is how many words the codes of n vectors take.
func (s shape) blocks(n int) int { return (n + lanes - 1) / lanes * lanes * s.words }

// rotate turns v in place by a fixed rotation that spreads what each dimension
// says over all of them: signs say more after it, and no value stands out, so
// that int8 loses less. It is two rounds of random signs and a Walsh-Hadamard
// transform over the first and the last 2^k dimensions.
func rotate(v []float32) {
	if len(v) < 2 {
		return
	}
	p := 1 << (bits.Len(uint(len(v))) - 1)
	for round := range uint64(2) {
		for i := range v {
			if sign(round<<32 | uint64(i)) {
				v[i] = -v[i]
			}
		}
		hadamard(v[:p])
		if p < len(v) {
			hadamard(v[len(v)-p:])
		}
	}
}

// sign is a fair coin that falls the same way for ever (splitmix64).
func sign(x uint64) bool {
	x = (x + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return (x^x>>31)&1 == 1
}

// hadamard transforms a power of two of values, keeping their length.
func hadamard(v []float32) {
	for h := 1; h < len(v); h *= 2 {
		for i := 0; i < len(v); i += 2 * h {
			low, high := v[i:i+h], v[i+h:i+2*h]
			for j := range low {
				a, b := low[j], high[j]
				low[j], high[j] = a+b, a-b
			}
		}
	}
	norm := float32(1 / math.Sqrt(float64(len(v))))
	for i := range v {
		v[i] *= norm
	}
}

// code writes the signs of v as bits.
func code(dst []uint64, v []float32) {
	clear(dst)
	for i, f := range v {
		dst[i/64] |= uint64(math.Float32bits(f)>>31) << (i % 64)
	}
}

// quantize writes v in steps of a scale, which it gives.
func quantize(dst []int8, v []float32) (scale float32) {
	most := float32(0)
	for _, f := range v {
		most = max(most, float32(math.Abs(float64(f))))
	}
	clear(dst)
	if most == 0 {
		return 0
	}
	inverse := 127 / most
	for i, f := range v {
		dst[i] = int8(math.RoundToEven(float64(f * inverse)))
	}
	return most / 127
}

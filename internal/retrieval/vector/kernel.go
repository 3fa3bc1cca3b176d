package vector

import "math/bits"

// distancesGo counts, for each vector of some blocks of codes, the bits in
// which it differs from the question's code.
func distancesGo(dst []uint16, codes, question []uint64) {
	words := len(question)
	for b := 0; (b+1)*lanes <= len(dst); b++ {
		var sum [lanes]int
		block := codes[b*words*lanes : (b+1)*words*lanes]
		for j, q := range question {
			row := block[j*lanes : j*lanes+lanes]
			for l := range lanes {
				sum[l] += bits.OnesCount64(row[l] ^ q)
			}
		}
		for l := range lanes {
			dst[b*lanes+l] = uint16(sum[l])
		}
	}
}

// dotGo is the product of an int8 vector and the question, which is widened
// once; their lengths are equal and multiples of 16.
func dotGo(v []int8, question []int16) int32 {
	var sum int32
	for i, q := range question {
		sum += int32(v[i]) * int32(q)
	}
	return sum
}

package vector

import "golang.org/x/sys/cpu"

// What the machine has; never changed.
var (
	hasAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512VPOPCNTDQ
	hasAVX2   = cpu.X86.HasAVX2
)

func distances(dst []uint16, codes, question []uint64) {
	n := len(dst) / lanes
	if n == 0 || len(question) == 0 {
		return
	}
	_ = codes[n*lanes*len(question)-1]
	switch {
	case hasAVX512:
		distances512(&dst[0], &codes[0], &question[0], n, len(question))
	case hasAVX2:
		distances256(&dst[0], &codes[0], &question[0], n, len(question))
	default:
		distancesGo(dst, codes, question)
	}
}

func dot(v []int8, question []int16) int32 {
	if !hasAVX2 || len(question) == 0 {
		return dotGo(v, question)
	}
	_ = v[len(question)-1]
	return dot256(&v[0], &question[0], len(question))
}

// distances512 and distances256 count n blocks of 8 codes.
//
//go:noescape
func distances512(dst *uint16, codes, question *uint64, n, words int)

//go:noescape
func distances256(dst *uint16, codes, question *uint64, n, words int)

// dot256 takes a multiple of 16 values.
//
//go:noescape
func dot256(v *int8, question *int16, n int) int32

func prefetch(v []int8) {
	if len(v) > 0 {
		fetch(&v[0], len(v))
	}
}

//go:noescape
func fetch(v *int8, n int)

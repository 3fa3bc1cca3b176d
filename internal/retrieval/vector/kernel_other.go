//go:build !amd64

package vector

func distances(dst []uint16, codes, question []uint64) { distancesGo(dst, codes, question) }

func dot(v []int8, question []int16) int32 { return dotGo(v, question) }

func prefetch([]int8) {}

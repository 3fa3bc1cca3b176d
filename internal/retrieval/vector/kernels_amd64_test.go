package vector

func kernels() map[string]func([]uint16, []uint64, []uint64) {
	all := map[string]func([]uint16, []uint64, []uint64){"go": distancesGo, "chosen": distances}
	if hasAVX2 {
		all["avx2"] = func(dst []uint16, codes, question []uint64) {
			distances256(&dst[0], &codes[0], &question[0], len(dst)/lanes, len(question))
		}
	}
	if hasAVX512 {
		all["avx512"] = func(dst []uint16, codes, question []uint64) {
			distances512(&dst[0], &codes[0], &question[0], len(dst)/lanes, len(question))
		}
	}
	return all
}

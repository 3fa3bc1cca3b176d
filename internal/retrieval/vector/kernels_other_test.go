//go:build !amd64

package vector

func kernels() map[string]func([]uint16, []uint64, []uint64) {
	return map[string]func([]uint16, []uint64, []uint64){"go": distancesGo}
}

//go:build !race

package vector

const maxAllocs = 8

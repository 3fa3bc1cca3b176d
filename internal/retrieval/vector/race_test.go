//go:build race

package vector

// The race detector empties pools at random.
const maxAllocs = 1000

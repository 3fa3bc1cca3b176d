//go:build !race

package storetest

// many is how many rows the cases about many rows use.
const many = 10_000

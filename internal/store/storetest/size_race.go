//go:build race

package storetest

// many is smaller here: under the race detector SQLite is ten times slower,
// and what the rows are for is the same.
const many = 2_000

//go:build !race

package tokenize

const race = false

//go:build !race

package embed

const race = false

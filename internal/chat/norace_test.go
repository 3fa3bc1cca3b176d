//go:build !race

package chat

const race = false

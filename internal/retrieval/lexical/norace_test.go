//go:build !race

package lexical

const raced = false

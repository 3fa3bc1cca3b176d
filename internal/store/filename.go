package store

import "strings"

// nameSearch is the form of a file's name that globs are matched with.
func nameSearch(name string) string { return strings.ToLower(name) }

// likeGlob turns a glob of * and ? into a pattern of LIKE, escaped by \.
func likeGlob(glob string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(glob) {
		switch r {
		case '*':
			r = '%'
		case '?':
			r = '_'
		case '%', '_', '\\':
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

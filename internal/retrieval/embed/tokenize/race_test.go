//go:build race

package tokenize

// race says that the detector runs, which allocates.
const race = true

//go:build race

package embed

// race says that the detector runs, which allocates.
const race = true

//go:build !amd64

package tensor

// Best is the fastest arithmetic that this machine can do.
func Best() *Kernels { return Plain() }

// All are those that it can do, for tests.
func All() []*Kernels { return []*Kernels{Plain()} }

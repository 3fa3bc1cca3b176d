package tensor

// Best is the fastest arithmetic that this machine can do.
func Best() *Kernels { return All()[0] }

// All are those that it can do, the fastest first.
func All() []*Kernels { return []*Kernels{Plain()} }

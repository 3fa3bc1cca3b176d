package vector

// Whoever reads mapped files has debug.SetPanicOnFault on and defers caught:
// a file that is cut short, or whose disk fails, while it is mapped would
// otherwise end the process.

// caught makes ErrBroken of a fault of memory.
func caught(err *error) {
	if isFault(recover()) {
		*err = ErrBroken
	}
}

// isFault reports whether a panic came from a fault of memory, and panics again
// for any other.
func isFault(r any) bool {
	if r == nil {
		return false
	}
	if _, ok := r.(interface{ Addr() uintptr }); !ok {
		panic(r)
	}
	return true
}

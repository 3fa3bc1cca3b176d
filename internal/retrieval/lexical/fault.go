package lexical

// Whoever reads mapped files has debug.SetPanicOnFault on and defers caught:
// a file that is cut short, or whose disk fails, while it is mapped would
// otherwise end the process.

// caught makes ErrBroken of a fault of memory.
func caught(err *error) {
	r := recover()
	if r == nil {
		return
	}
	if _, ok := r.(interface{ Addr() uintptr }); !ok {
		panic(r)
	}
	*err = ErrBroken
}

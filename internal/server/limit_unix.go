//go:build unix

package server

import "golang.org/x/sys/unix"

// OpenFiles raises the limit on open files to what the system allows this
// process, and gives the limit.
func OpenFiles() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 1024
	}
	if r.Cur < r.Max {
		raised := r
		raised.Cur = r.Max
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			r = raised
		}
	}
	return int(min(r.Cur, 1<<30))
}

//go:build !linux

package worker

import "golang.org/x/sys/unix"

// lower puts this process behind all others.
func lower(nice int, _ int64) { _ = unix.Setpriority(unix.PRIO_PROCESS, 0, nice) }

package worker

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// lower puts this process behind all others and bounds its memory, the mapped
// weights aside. What the system refuses stays as it was: bulk work is then
// rude, not wrong.
//
// It is a nice value and not SCHED_IDLE, which beside another busy program
// would get nothing at all.
func lower(nice int, memory int64) {
	tasks, _ := os.ReadDir("/proc/self/task") // a nice value belongs to a thread; new ones inherit it
	for _, t := range tasks {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, nice)
		}
	}
	if memory > 0 {
		_ = unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: uint64(memory), Max: uint64(memory)})
	}
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
}

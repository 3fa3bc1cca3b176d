package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// own is this binary, also after another one took its place on disk.
const own = "/proc/self/exe"

// attributes put a child into a process group of its own and end it with its
// parent.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// usage is the processor time that a process took, with those it waited for,
// and its memory with that of its children. Zeros are a process that is gone.
func usage(pid int) (cpu time.Duration, memory int64) {
	cpu, memory = ofProcess(pid)
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, t := range threads {
		pids, _ := os.ReadFile(t)
		for _, f := range bytes.Fields(pids) {
			if n, err := strconv.Atoi(string(f)); err == nil {
				c, m := ofProcess(n)
				cpu, memory = cpu+c, memory+m
			}
		}
	}
	return cpu, memory
}

// ofProcess reads /proc/PID/stat, see proc_pid_stat(5).
func ofProcess(pid int) (cpu time.Duration, memory int64) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:]) // the state, number 3, is the first
	if len(f) < 22 {
		return 0, 0
	}
	n := func(number int) int64 {
		v, _ := strconv.ParseInt(string(f[number-3]), 10, 64)
		return v
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs
	return time.Duration(n(14)+n(15)+n(16)+n(17)) * tick, n(24) * int64(os.Getpagesize())
}

// bound gives the next job its processor time; the parent watches, too.
func bound(cpu time.Duration) {
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) != nil {
		return
	}
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CPU, &lim) == nil {
		lim.Cur = uint64(used.Utime.Sec+used.Stime.Sec) + uint64(cpu.Seconds()) + 5
		_ = unix.Setrlimit(unix.RLIMIT_CPU, &lim)
	}
}

// confine puts walls around this thread and starts the program anew from it,
// so that they hold for all threads of the child, from its first instruction.
// What the kernel does not have is noted in set.Missing. It returns only with
// an error.
func confine(set *settings) error {
	runtime.LockOSThread()
	if set.CacheDir != "" {
		if err := os.MkdirAll(set.CacheDir, 0o700); err != nil {
			return err
		}
	}
	wall := func(name string, err error) {
		if err != nil {
			set.Missing = append(set.Missing, name)
		} else {
			set.Confined = append(set.Confined, name)
		}
	}
	set.Confined = []string{}
	wall("rlimits", limitResources(set.Memory))
	wall("nice", lowPriority())
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err // nothing below would hold
	}
	wall("files", confineFiles(set))
	wall("network", filterCalls())
	env, err := json.Marshal(set)
	if err != nil {
		return err
	}
	return syscall.Exec(own, os.Args, []string{settingsVar + "=" + string(env), "GOMEMLIMIT=" + os.Getenv("GOMEMLIMIT")})
}

// limitResources sets what a process may hold. Address space cannot be limited,
// since Go reserves much of it; data can.
func limitResources(memory int64) error {
	var errs []error
	for _, l := range [...]struct {
		what int
		most uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NOFILE, 64},
		{unix.RLIMIT_FSIZE, 256 << 20},
		{unix.RLIMIT_DATA, uint64(memory) + 1<<30}, // the parent is stricter, and later
	} {
		errs = append(errs, unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.most, Max: l.most}))
	}
	return errors.Join(errs...)
}

// lowPriority lets streams of the server go first. It is nicer than the server
// and less nice than bulk embedding, which waits for what is read here.
func lowPriority() error {
	const (
		nice       = 5
		ioProcess  = 1
		bestEffort = 2 << 13
		lowest     = 7
	)
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioProcess, 0, bestEffort|lowest)
	return unix.Setpriority(unix.PRIO_PROCESS, 0, nice)
}

// The rights of Landlock over files, see landlock(7).
const (
	mayRead  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	mayRun   = mayRead | unix.LANDLOCK_ACCESS_FS_EXECUTE
	mayWrite = mayRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG
	ofFiles = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// confineFiles leaves this binary, the system's libraries and programs, and the
// folder of what is compiled once; and no TCP.
func confineFiles(set *settings) error {
	abi, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		return e
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1}
	size, write := uintptr(8), uint64(mayWrite)
	if abi >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
		write |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
		write |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size = 16
	}
	if abi >= 5 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = 24
	}
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if e != 0 {
		return e
	}
	rules := int(fd)
	defer unix.Close(rules)
	if err := allow(rules, own, mayRun); err != nil {
		return err
	}
	for _, dir := range [...]string{"/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/dev/null", "/dev/urandom"} {
		may := uint64(mayRun)
		if dir == "/dev/null" {
			may |= unix.LANDLOCK_ACCESS_FS_WRITE_FILE
		}
		if err := allow(rules, dir, may); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	for path, may := range map[string]uint64{set.Tesseract: mayRun, set.TessData: mayRead, set.CacheDir: write} {
		if path == "" {
			continue
		}
		if err := allow(rules, path, may); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	if _, _, e := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); e != 0 {
		return e
	}
	return nil
}

// allow gives rights over a file, or a folder and all in it.
func allow(rules int, path string, may uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		may &= ofFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: may, Parent_fd: int32(fd)}
	if _, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(rules), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); e != 0 {
		return e
	}
	return nil
}

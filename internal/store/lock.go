package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fileLock keeps a second server off a data folder. The kernel releases it
// when the process ends, however it ends.
//
// A server holds it alone. Tools share it when no server is there, so that
// none starts half way through what they do, and do without it beside one.
type fileLock struct {
	f      *os.File
	beside bool // a server holds it
}

const lockName = "portico.lock"

// lockFolder takes the lock of a server. It waits for tools, and refuses at
// once when there is another server.
func lockFolder(dir string, wait time.Duration) (*fileLock, error) {
	f, err := openLock(dir)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		if shared := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); shared != nil || time.Now().After(end) {
			break
		}
		_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 32)) // only makes the sentence more helpful
		f.Close()
		return nil, fmt.Errorf("another server%s has the data folder %s open: stop it first, or use PostgreSQL to run several", pidNote(holder), dir)
	}
	if err != nil {
		f.Close()
		return nil, notLockable(dir, err)
	}
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, notWritable(f.Name(), err)
	}
	return &fileLock{f: f}, nil
}

// shareFolder takes the lock of a tool, which is none beside a server.
func shareFolder(dir string) (*fileLock, error) {
	f, err := openLock(dir)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
		f.Close()
		return nil, notLockable(dir, err)
	}
	return &fileLock{f: f, beside: err != nil}, nil
}

func openLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, notWritable(dir, err)
	}
	return f, nil
}

func notLockable(dir string, err error) error {
	return fmt.Errorf("the data folder %s cannot be locked (%w): use a local disk", dir, err)
}

func pidNote(holder []byte) string {
	if pid := strings.TrimSpace(string(holder)); pid != "" {
		return " (process " + pid + ")"
	}
	return ""
}

func (l *fileLock) release() error { return l.f.Close() }

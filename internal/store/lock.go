package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// fileLock keeps a second process off a data folder. The kernel releases it
// when the process ends, however it ends.
type fileLock struct{ f *os.File }

const lockName = "portico.lock"

func lockFolder(dir string) (*fileLock, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, notWritable(dir, err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 32)) // only makes the sentence more helpful
		f.Close()
		return nil, fmt.Errorf("another server%s has the data folder %s open: stop it first, or use PostgreSQL to run several", pidNote(holder), dir)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("the data folder %s cannot be locked (%w): use a local disk", dir, err)
	}
	if err := f.Truncate(0); err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, notWritable(path, err)
	}
	return &fileLock{f}, nil
}

func pidNote(holder []byte) string {
	if pid := strings.TrimSpace(string(holder)); pid != "" {
		return " (process " + pid + ")"
	}
	return ""
}

func (l *fileLock) release() error { return l.f.Close() }

package relay

import (
	"os"
	"sync"
	"syscall"
)

// What can be waited for on a client's connection.
const (
	forLeaving = syscall.EPOLLRDHUP                   // it closed, or its half of it
	forRequest = syscall.EPOLLIN | syscall.EPOLLRDHUP // it said something, or closed
)

// watcher tells when clients leave: one epoll instance and one goroutine for
// all of them, so that a watched connection costs an entry in a map. The
// instance is itself polled by the Go runtime, so no thread is blocked.
type watcher struct {
	file *os.File
	poll syscall.RawConn

	mu    sync.Mutex
	last  uint64
	calls map[uint64]func()
}

func newWatcher() (*watcher, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	w := &watcher{file: os.NewFile(uintptr(fd), "clients"), calls: map[uint64]func(){}}
	if w.poll, err = w.file.SyscallConn(); err != nil {
		w.file.Close()
		return nil, err
	}
	go w.run()
	return w, nil
}

// add calls fn once, on the watcher's goroutine, when what is waited for
// happens, unless remove came before.
func (w *watcher) add(c *Conn, events uint32, fn func()) (id uint64, err error) {
	raw := c.socket()
	if raw == nil {
		return 0, syscall.ENOTSOCK
	}
	w.mu.Lock()
	w.last++
	id = w.last
	w.calls[id] = fn
	w.mu.Unlock()
	event := syscall.EpollEvent{Events: events | syscall.EPOLLONESHOT, Fd: int32(id), Pad: int32(id >> 32)}
	failed := w.control(raw, syscall.EPOLL_CTL_ADD, &event)
	if failed != nil {
		w.take(id)
	}
	return id, failed
}

// remove must come before the connection is closed or watched again.
func (w *watcher) remove(c *Conn, id uint64) {
	w.take(id)
	if raw := c.socket(); raw != nil {
		w.control(raw, syscall.EPOLL_CTL_DEL, &syscall.EpollEvent{})
	}
}

func (w *watcher) control(raw syscall.RawConn, op int, event *syscall.EpollEvent) (err error) {
	outer := raw.Control(func(fd uintptr) {
		inner := w.poll.Control(func(instance uintptr) {
			err = syscall.EpollCtl(int(instance), op, int(fd), event)
		})
		if inner != nil {
			err = inner
		}
	})
	if outer != nil {
		return outer
	}
	return err
}

func (w *watcher) take(id uint64) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn := w.calls[id]
	delete(w.calls, id)
	return fn
}

func (w *watcher) run() {
	var events [64]syscall.EpollEvent
	for {
		n := 0
		err := w.poll.Read(func(instance uintptr) bool {
			var err error
			n, err = syscall.EpollWait(int(instance), events[:], 0)
			return n > 0 || (err != nil && err != syscall.EINTR)
		})
		if err != nil || n < 0 {
			return
		}
		for _, e := range events[:n] {
			if fn := w.take(uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32); fn != nil {
				fn()
			}
		}
	}
}

// close ends the goroutine. Nothing may be watched any more.
func (w *watcher) close() { w.file.Close() }

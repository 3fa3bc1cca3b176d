package worker

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"portico/internal/retrieval/extract"
)

// Frames are a byte that says what it is, four of length (big endian), and
// that many of body.
const (
	frameJob      = 'j' // to the child, with the descriptor of the file: job
	frameSay      = 's' // a line for the log, as text
	frameProgress = 'p' // progress
	frameText     = 't' // a piece of the document's text, bytes
	frameDocument = 'd' // the rest of the document, JSON; the job is done
	frameFailed   = 'f' // failure; the job is done
)

// maxFrame is the largest body. Text comes in pieces; the rest of a document
// is positions: a very long table of headings stays well below.
const maxFrame = 64 << 20

type job struct {
	Name        string         `json:"name"`
	ContentType string         `json:"content_type"`
	Size        int64          `json:"size"`
	Limits      extract.Limits `json:"limits"`
}

type progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// failure is an error on its way; Code "" is one that is not the file's fault.
type failure struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Cause  string `json:"cause"`
}

// conn is one end of the socket between parent and child.
type conn struct{ *net.UnixConn }

// send writes a frame, with a descriptor when file is not nil.
func (c conn) send(kind byte, body []byte, file *os.File) error {
	head := make([]byte, 5, 5+len(body))
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(body)))
	if file == nil {
		_, err := c.Write(append(head, body...))
		return err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var werr error
	err = raw.Control(func(fd uintptr) {
		// The descriptor travels with the first byte.
		_, _, werr = c.WriteMsgUnix(head[:1], unix.UnixRights(int(fd)), nil)
	})
	if err = errors.Join(err, werr); err != nil {
		return err
	}
	_, err = c.Write(append(head[1:5], body...))
	return err
}

func (c conn) sendJSON(kind byte, v any, file *os.File) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.send(kind, b, file)
}

// receive reads a frame and the descriptor that came with it, if one did.
func (c conn) receive() (kind byte, body []byte, file *os.File, err error) {
	first, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := c.ReadMsgUnix(first, oob)
	if err != nil {
		return 0, nil, nil, err
	}
	if n == 0 {
		return 0, nil, nil, io.EOF
	}
	if oobn > 0 {
		if file, err = descriptor(oob[:oobn]); err != nil {
			return 0, nil, nil, err
		}
	}
	var size [4]byte
	if _, err = io.ReadFull(c, size[:]); err == nil {
		if n := binary.BigEndian.Uint32(size[:]); n > maxFrame {
			err = fmt.Errorf("extract: a frame of %d bytes", n)
		} else {
			body = make([]byte, n)
			_, err = io.ReadFull(c, body)
		}
	}
	if err != nil && file != nil {
		_ = file.Close()
		file = nil
	}
	return first[0], body, file, err
}

func descriptor(oob []byte) (*os.File, error) {
	all, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(all) != 1 {
		return nil, errors.New("extract: no descriptor came with the job")
	}
	fds, err := unix.ParseUnixRights(&all[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.New("extract: no descriptor came with the job")
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "content"), nil
}

// pair makes a socket: our end, and a file for the child's.
func pair() (conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return conn{}, nil, err
	}
	ours := os.NewFile(uintptr(fds[0]), "child")
	theirs := os.NewFile(uintptr(fds[1]), "parent")
	defer ours.Close()
	c, err := asConn(ours)
	if err != nil {
		_ = theirs.Close()
	}
	return c, theirs, err
}

// asConn makes a connection of a copy of f.
func asConn(f *os.File) (conn, error) {
	c, err := net.FileConn(f)
	if err != nil {
		return conn{}, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return conn{}, errors.New("extract: the child's socket is none")
	}
	return conn{u}, nil
}

// dup gives another descriptor of the same open file, so that closing one does
// not close the other.
func dup(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, derr := -1, error(nil)
	err = raw.Control(func(old uintptr) { fd, derr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, derr); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "content"), nil
}

// copyTo copies the content of in to f, until ctx is done.
func copyTo(ctx context.Context, f *os.File, in extract.Input) error {
	r := io.NewSectionReader(in.Content, 0, in.Size)
	buf := make([]byte, 256<<10)
	for {
		n, err := r.Read(buf)
		if _, werr := f.Write(buf[:n]); werr != nil {
			return werr
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

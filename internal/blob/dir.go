package blob

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"portico/internal/errdefs"
)

// Dir keeps blobs as files below one folder:
//
//	ab/ab12…   the blob whose SHA-256 begins with ab
//	tmp/…      what is being put, or was when the process died
//	owner      the id of the database that refers to them
//
// A file holds the bytes and, behind them, a checksum of each block, by which
// every read is checked (see frame.go). Several processes may use one folder.
type Dir struct {
	root  *os.Root
	space func() (int64, error) // free bytes
	floor int64                 // of them that must stay free
	alien bool                  // the blobs are another database's
	now   func() time.Time
	make  func(path string) (draft, error)
	bufs  sync.Pool
	// mu keeps one removal and the last step of puts apart.
	mu sync.Mutex
}

var _ Store = (*Dir)(nil)

// draft is a file being written.
type draft interface {
	io.WriteCloser
	Sync() error
}

const (
	temp  = "tmp"
	owner = "owner"
)

// OpenDir opens a folder of blobs, and makes it where it is not there yet.
func OpenDir(dir string) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder of uploaded files cannot be made: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of uploaded files cannot be opened: %w", err)
	}
	d := &Dir{root: root, now: time.Now, bufs: sync.Pool{New: func() any { return new([bufSize]byte) }}}
	d.space = func() (int64, error) { return freeSpace(dir) }
	d.make = func(path string) (draft, error) { return root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) }
	if err := root.Mkdir(temp, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, errors.Join(fmt.Errorf("the folder of uploaded files cannot be written: %w", err), root.Close())
	}
	return d, nil
}

// Reserve makes Put refuse new bytes while less than floor bytes are free on
// the disk, so that the database beside them can go on. Call it before use.
func (d *Dir) Reserve(floor int64) { d.floor = floor }

// Claim says which database refers to the blobs. A server that was started on
// another one by mistake must not take them for waste: unless the folder was
// nobody's, or id's, Claim is false, and nothing is removed from then on. Call
// it before use.
func (d *Dir) Claim(id string) (bool, error) {
	path := temp + "/" + rand.Text()
	f, err := d.make(path)
	if err != nil {
		return false, diskFault(err)
	}
	_, err = io.WriteString(f, id)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = d.root.Link(path, owner) // whole, or not at all
	}
	if errors.Is(err, fs.ErrExist) {
		err = nil // claimed before
	}
	if err := errors.Join(err, d.root.Remove(path)); err != nil {
		return false, diskFault(err)
	}
	whose, err := d.Owner()
	d.alien = err != nil || whose != id
	return !d.alien, err
}

// Owner is the id that was claimed first, "" while there is none.
func (d *Dir) Owner() (string, error) {
	text, err := d.root.ReadFile(owner)
	return string(text), ignore(err)
}

// Close lets go of the folder.
func (d *Dir) Close() error { return d.root.Close() }

// name is where a blob is; errNone for what is no hash, so that nothing else
// ever reaches the disk.
func name(hash string) (string, error) {
	if len(hash) != 2*sha256.Size {
		return "", errNone
	}
	for i := range len(hash) {
		if c := hash[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", errNone
		}
	}
	return hash[:2] + "/" + hash, nil
}

// Put implements Store.
func (d *Dir) Put(ctx context.Context, r io.Reader, limit int64) (b Blob, err error) {
	if err := d.room(); err != nil {
		return b, err
	}
	path := temp + "/" + rand.Text()
	f, err := d.make(path)
	if err != nil {
		return b, diskFault(err)
	}
	defer func() {
		if err != nil {
			// What cannot be removed now, Tidy takes.
			err = errors.Join(err, ignore(d.root.Remove(path)))
		}
	}()
	b, err = d.write(ctx, f, r, limit)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = diskFault(cerr)
	}
	if err != nil {
		return b, err
	}
	return b, d.settle(path, b.Hash)
}

// room refuses while the disk is nearly full.
func (d *Dir) room() error {
	if d.floor <= 0 {
		return nil
	}
	if free, err := d.space(); err == nil && free < d.floor { // where it cannot be known, the writes will tell
		return errFull
	}
	return nil
}

// write brings r to disk in the form of a frame, synced.
func (d *Dir) write(ctx context.Context, f draft, r io.Reader, limit int64) (b Blob, err error) {
	hash := sha256.New()
	out := newFramer(f)
	buf := d.bufs.Get().(*[bufSize]byte)
	defer d.bufs.Put(buf)
	for {
		if err := ctx.Err(); err != nil {
			return b, err
		}
		n, err := fill(r, buf[:])
		if b.Size += int64(n); b.Size > limit {
			return b, tooLarge(limit)
		}
		hash.Write(buf[:n])
		if _, werr := out.Write(buf[:n]); werr != nil {
			return b, diskFault(werr)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return b, err
		}
	}
	if err := out.finish(); err != nil {
		return b, diskFault(err)
	}
	if err := f.Sync(); err != nil {
		return b, diskFault(err)
	}
	b.Hash = hex.EncodeToString(hash.Sum(nil))
	return b, nil
}

// fill reads until p is full or r fails: bodies arrive in small pieces.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// settle gives what was written its name. Equal bytes are replaced, so that a
// damaged blob is mended by putting it again.
func (d *Dir) settle(path, hash string) error {
	folder := hash[:2]
	err := d.root.Mkdir(folder, 0o700)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return diskFault(err)
	}
	// The time of the last write may be long ago, and that of a put is now.
	now := d.now()
	if err := d.root.Chtimes(path, now, now); err != nil {
		return diskFault(err)
	}
	d.mu.Lock()
	err = d.root.Rename(path, folder+"/"+hash)
	d.mu.Unlock()
	if err == nil {
		err = d.sync(folder)
	}
	if err == nil && made {
		err = d.sync(".")
	}
	if err != nil {
		return diskFault(err)
	}
	return nil
}

// sync makes the names in a folder survive a loss of power.
func (d *Dir) sync(folder string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Open implements Store.
func (d *Dir) Open(_ context.Context, hash string) (Content, error) {
	path, err := name(hash)
	if err != nil {
		return nil, err
	}
	f, err := d.root.Open(path)
	if err != nil {
		return nil, diskFault(err)
	}
	c, err := openFrame(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// Remove implements Store. The blob is first taken out of its place: should
// another process have put it in the same moment, it goes back.
func (d *Dir) Remove(_ context.Context, hash string, before time.Time) error {
	path, err := name(hash)
	if err != nil || d.alien {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if fresh, err := d.since(path, before); fresh || err != nil {
		return ignore(err)
	}
	away := temp + "/" + rand.Text()
	if err := d.root.Rename(path, away); err != nil {
		return ignore(err)
	}
	if fresh, err := d.since(away, before); fresh || err != nil {
		return errors.Join(ignore(err), ignore(d.root.Rename(away, path)))
	}
	return ignore(d.root.Remove(away))
}

// since reports whether a file was put at a time or later.
func (d *Dir) since(path string, t time.Time) (bool, error) {
	info, err := d.root.Lstat(path)
	return err == nil && !info.ModTime().Before(t), err
}

// Each implements Store.
func (d *Dir) Each(ctx context.Context, fn func(b Blob, put time.Time) error) error {
	folders, err := d.list(".")
	if err != nil {
		return diskFault(err)
	}
	for _, folder := range folders {
		if len(folder.Name()) != 2 || !folder.IsDir() {
			continue
		}
		files, err := d.list(folder.Name())
		if err != nil {
			return diskFault(err)
		}
		for _, f := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			if path, err := name(f.Name()); err != nil || path[:2] != folder.Name() {
				continue
			}
			info, err := f.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed meanwhile
			}
			if err != nil {
				return diskFault(err)
			}
			if err := fn(Blob{f.Name(), max(payload(info.Size()), 0)}, info.ModTime()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Tidy implements Store.
func (d *Dir) Tidy(ctx context.Context, since time.Time) (n int, err error) {
	files, err := d.list(temp)
	if err != nil {
		return 0, diskFault(err)
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		path := temp + "/" + f.Name()
		if fresh, err := d.since(path, since); fresh || err != nil {
			continue
		}
		if err := ignore(d.root.Remove(path)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (d *Dir) list(folder string) ([]fs.DirEntry, error) {
	f, err := d.root.Open(folder)
	if err != nil {
		return nil, err
	}
	list, err := f.ReadDir(-1)
	return list, errors.Join(err, f.Close())
}

// ignore forgets that something is not there.
func ignore(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return diskFault(err)
}

// diskFault says what happened without saying where on the disk.
func diskFault(err error) error {
	var known *errdefs.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return errNone.WithCause(err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return errFull.WithCause(err)
	}
	return errdefs.New(errdefs.Internal, "The server's disk failed. Try again; if it stays, tell the administrator.").WithCause(err)
}

// tooLarge is the failure of more than limit bytes.
func tooLarge(limit int64) error {
	return errdefs.Newf(errdefs.TooLarge, "The file is larger than the %s that are allowed.", Size(limit))
}

// Size says a number of bytes as people do.
func Size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

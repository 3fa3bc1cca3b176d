// Package blob keeps bytes under the name of their SHA-256, so that equal bytes
// are kept once. It is the only room that touches uploaded bytes on disk: all
// access goes through one root that no name can leave. It knows no file names,
// no owners and no database.
package blob

import (
	"context"
	"io"
	"net/http"
	"time"

	"portico/internal/errdefs"
)

// Blob is what was put.
type Blob struct {
	Hash string // SHA-256 in lower-case hex, also its name
	Size int64  // bytes
}

// Content is an open blob.
type Content interface {
	io.ReadSeeker
	io.ReaderAt
	io.Closer
}

// Grace is how long a blob is safe from removal after it was put: who puts one
// must refer to it, in a committed row, within half of that time.
const Grace = 30 * time.Second

// Store keeps blobs.
type Store interface {
	// Put reads r to its end and keeps it, synced to disk, before it returns. It
	// never holds more than a buffer of it in memory. More than limit bytes are
	// errdefs.TooLarge at the byte that exceeds; a full disk is
	// errdefs.Unavailable with status 507. What fails leaves nothing behind.
	// Bytes that are there already are put again: that counts as just now.
	Put(ctx context.Context, r io.Reader, limit int64) (Blob, error)
	// Open opens a blob; errdefs.NotFound when it is not there. What is read is
	// checked: bytes that changed on disk are ErrDamaged, and never given.
	Open(ctx context.Context, hash string) (Content, error)
	// Remove deletes a blob that was last put before a time; one that was put
	// later, or is not there, stays as it is, which is no error. Between asking
	// whether anybody refers to a blob and removing it, somebody may put the same
	// bytes: so ask first for a time, Grace ago, then whether it is in use.
	Remove(ctx context.Context, hash string, before time.Time) error
	// Each calls fn for every blob and the time it was last put, for the janitor.
	Each(ctx context.Context, fn func(b Blob, put time.Time) error) error
	// Tidy removes what Puts that have not moved since a time left half done, and
	// tells how many there were.
	Tidy(ctx context.Context, since time.Time) (int, error)
}

// The failures of what is kept.
var (
	errNone = errdefs.New(errdefs.NotFound, "The stored bytes are not there.")
	// ErrDamaged is a blob whose bytes are not those that were put.
	ErrDamaged = errdefs.New(errdefs.Internal, "The stored bytes are damaged, and are not given out. Upload the file again; an administrator should check the disk.")
	errFull    = errdefs.New(errdefs.Unavailable, "The server's disk is full. An administrator must make room.").
			WithStatus(http.StatusInsufficientStorage)
)

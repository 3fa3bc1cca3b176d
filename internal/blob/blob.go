// Package blob keeps bytes under the name of their SHA-256, so that equal bytes
// are kept once. It is the only room that touches uploaded bytes on disk: all
// access goes through one root that no name can leave. It knows no file names,
// no owners and no database.
package blob

import (
	"context"
	"io"
	"time"
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

// Store keeps blobs.
type Store interface {
	// Put reads r to its end and keeps it, synced to disk, before it returns. It
	// never holds more than a buffer of it in memory. More than limit bytes are
	// errdefs.TooLarge at the byte that exceeds; a full disk is
	// errdefs.Unavailable with status 507. What fails leaves nothing behind.
	Put(ctx context.Context, r io.Reader, limit int64) (Blob, error)
	// Open opens a blob; errdefs.NotFound when it is not there.
	Open(ctx context.Context, hash string) (Content, error)
	// Remove deletes a blob; one that is not there is no error.
	Remove(ctx context.Context, hash string) error
	// Each calls fn for every blob and the time it was last put, for the janitor.
	Each(ctx context.Context, fn func(b Blob, put time.Time) error) error
}

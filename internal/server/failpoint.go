package server

import (
	"context"
	"io"
	"os"

	"portico/internal/blob"
	"portico/internal/file"
	"portico/internal/retrieval"
	"portico/internal/store"
)

// failpointVar names the moment at which the process kills itself, for tests of
// what a crash leaves (tests/faults). Without it nothing of this file is in the
// way of anything. The moments are
//
//	blob      the bytes of an upload are on disk, no row is
//	row       the row is written, the upload is not answered
//	document  what was read of a file is on disk, no row knows
//	text      the words of a file can be found
//	vectors   the first 1,024 vectors of a file are kept
//	completed everything is there but the file's own state
const failpointVar = "PORTICO_FAILPOINT"

// failpoint is the moment that was chosen, "" for none.
type failpoint string

func chosenFailpoint() failpoint { return failpoint(os.Getenv(failpointVar)) }

// reached ends the process as kill -9 does, where this is the moment.
func (p failpoint) reached(moment string) {
	if string(p) == moment {
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {}
	}
}

// failingBlobs are blobs whose puts are a moment.
type failingBlobs struct {
	blob.Store
	at     failpoint
	moment string
}

// blobs gives them as they are, unless a moment was chosen.
func (p failpoint) blobs(all blob.Store, moment string) blob.Store {
	if p == "" {
		return all
	}
	return failingBlobs{all, p, moment}
}

// Put implements blob.Store.
func (b failingBlobs) Put(ctx context.Context, r io.Reader, limit int64) (blob.Blob, error) {
	put, err := b.Store.Put(ctx, r, limit)
	if err == nil {
		b.at.reached(b.moment)
	}
	return put, err
}

// rows are the questions that files and retrieval ask of the database.
type rows interface {
	file.Store
	retrieval.Store
}

// failingRows is a database whose writes are moments.
type failingRows struct {
	*store.DB
	at failpoint
}

func (p failpoint) rows(db *store.DB) rows {
	if p == "" {
		return db
	}
	return failingRows{db, p}
}

// CreateFile implements file.Store.
func (r failingRows) CreateFile(ctx context.Context, f *file.File, job bool) error {
	err := r.DB.CreateFile(ctx, f, job)
	if err == nil {
		r.at.reached("row")
	}
	return err
}

// ReplaceSet implements retrieval.Store.
func (r failingRows) ReplaceSet(ctx context.Context, s *retrieval.Set, all []retrieval.Row) error {
	err := r.DB.ReplaceSet(ctx, s, all)
	if err == nil {
		r.at.reached("text")
	}
	return err
}

// AddVectors implements retrieval.Store.
func (r failingRows) AddVectors(ctx context.Context, set int64, first, dims int, vectors []float32) error {
	err := r.DB.AddVectors(ctx, set, first, dims, vectors)
	if err == nil {
		r.at.reached("vectors")
	}
	return err
}

// SetOutcome implements file.Store.
func (r failingRows) SetOutcome(ctx context.Context, id string, o file.Outcome, now int64) error {
	if o.Status == file.Completed {
		r.at.reached("completed")
	}
	return r.DB.SetOutcome(ctx, id, o, now)
}

package file

import (
	"context"
	"io"
	"time"

	"portico/internal/blob"
	"portico/internal/errdefs"
)

// Report is what Inspect found wrong between the files that are known and the
// bytes that are kept. Lists hold ids of files.
type Report struct {
	Files, Blobs int
	// Orphans are blobs that nothing refers to, as a crash leaves them.
	Orphans     []string
	OrphanBytes int64
	Missing     []string // their bytes are gone
	Unread      []string // what was read of them is gone; it can be read again
	Idle        []string // they wait to be read, and nobody will
	Damaged     []string // their bytes, or what was read, are not as they were put
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool {
	return len(r.Orphans)+len(r.Missing)+len(r.Unread)+len(r.Idle)+len(r.Damaged) == 0
}

// Inspect compares files and blobs, and where deep is set reads all bytes. It
// changes nothing; blobs that were put a moment before now are left out.
func Inspect(ctx context.Context, store Store, blobs blob.Store, now time.Time, deep bool) (*Report, error) {
	r := new(Report)
	present := map[string]bool{}
	cutoff := now.Add(-blob.Grace)
	var some []string
	sizes := map[string]int64{}
	ask := func() error {
		used, err := store.UsedBlobs(ctx, some)
		for _, h := range some {
			if err == nil && !used[h] {
				r.Orphans = append(r.Orphans, h)
				r.OrphanBytes += sizes[h]
			}
		}
		some = some[:0]
		clear(sizes)
		return err
	}
	err := blobs.Each(ctx, func(b blob.Blob, put time.Time) error {
		present[b.Hash] = true
		if put.Before(cutoff) {
			some = append(some, b.Hash)
			sizes[b.Hash] = b.Size
		}
		if len(some) < batch {
			return nil
		}
		return ask()
	})
	if err == nil && len(some) > 0 {
		err = ask()
	}
	if err != nil {
		return nil, err
	}
	r.Blobs = len(present)
	damaged := map[string]bool{}
	if deep {
		if damaged, err = readAll(ctx, blobs, present); err != nil {
			return nil, err
		}
	}
	err = store.BlobsInUse(ctx, func(id, bytes, document string) error {
		r.Files++
		switch {
		case !present[bytes]:
			r.Missing = append(r.Missing, id)
		case document != "" && !present[document]:
			r.Unread = append(r.Unread, id)
		case damaged[bytes] || damaged[document]:
			r.Damaged = append(r.Damaged, id)
		}
		return nil
	})
	if err == nil {
		r.Idle, err = store.FilesWithoutWork(ctx)
	}
	return r, err
}

// readAll gives the blobs that do not read as they were put.
func readAll(ctx context.Context, blobs blob.Store, all map[string]bool) (map[string]bool, error) {
	damaged := map[string]bool{}
	for h := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, err := blobs.Open(ctx, h)
		if errdefs.Is(err, errdefs.NotFound) {
			continue // removed meanwhile
		}
		if err == nil {
			_, err = io.Copy(io.Discard, c)
			_ = c.Close()
		}
		if err != nil {
			damaged[h] = true
		}
	}
	return damaged, nil
}

// Mend removes the orphans, and has read again what can be. What is missing or
// damaged can only be uploaded again, or come from a backup.
func (r *Report) Mend(ctx context.Context, store Store, blobs blob.Store, now time.Time) error {
	cutoff := now.Add(-blob.Grace)
	for rest := r.Orphans; len(rest) > 0; {
		n := min(batch, len(rest))
		used, err := store.UsedBlobs(ctx, rest[:n])
		if err != nil {
			return err
		}
		for _, h := range rest[:n] {
			if used[h] {
				continue
			}
			if err := blobs.Remove(ctx, h, cutoff); err != nil {
				return err
			}
		}
		rest = rest[n:]
	}
	for _, list := range [][]string{r.Unread, r.Idle} {
		for _, id := range list {
			if err := store.Requeue(ctx, id, now.Unix()); err != nil && !errdefs.Is(err, errdefs.NotFound) {
				return err
			}
		}
	}
	r.Orphans, r.OrphanBytes, r.Unread, r.Idle = nil, 0, nil, nil
	return nil
}

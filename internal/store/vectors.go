package store

import (
	"context"

	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/retrieval"
	"portico/internal/retrieval/float16"
)

// partSize is how many vectors are in one row.
const partSize = 1024

const (
	// A set whose vectors are visible keeps those it has.
	insertVectors query = `INSERT INTO vectors (set_id, part, data) SELECT id, $2, $3 FROM sets WHERE id = $1 AND vector_seq = 0
		ON CONFLICT (set_id, part) DO UPDATE SET data = excluded.data`
	vectorParts query = `SELECT count(*) FROM vectors WHERE set_id = $1`
	vectorPart  query = `SELECT data FROM vectors WHERE set_id = $1 AND part = $2`
	setByID     query = `SELECT ` + setColumns + ` FROM sets WHERE id = $1`
	showVectors query = `UPDATE sets SET vector_seq = $2, error = '' WHERE id = $1`
)

// AddVectors implements retrieval.Store. A vector with a value that is no
// number is refused whole.
func (db *DB) AddVectors(ctx context.Context, set int64, first, dims int, vectors []float32) (err error) {
	defer fault(&err, "set of chunks")
	if n := len(vectors); first%partSize != 0 || dims <= 0 || n == 0 || n%dims != 0 || n/dims > partSize {
		return errdefs.Newf(errdefs.Internal, "%d values are not the vectors of %d dimensions from chunk %d on.", n, dims, first)
	}
	data, ok := float16.Append(make([]byte, 0, 2*len(vectors)), vectors)
	if !ok {
		return errdefs.New(errdefs.Unprocessable, "The embedder gave a vector that holds something else than finite numbers. Check the embedding model.")
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, insertVectors, set, first/partSize, data)
		if err == nil && n == 0 {
			_, err = one(ctx, db, scanSet, setByID, set) // gone, or visible already
		}
		return err
	})
}

// FinishVectors implements retrieval.Store. A second call gives the sequence
// of the first.
func (db *DB) FinishVectors(ctx context.Context, set int64) (seq int64, err error) {
	defer fault(&err, "set of chunks")
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		// Counted first: it lets one at a time look at the set.
		if seq, err = t.next(ctx, countSeq); err != nil {
			return err
		}
		s, err := one(ctx, db, scanSet, setByID, set)
		if err != nil {
			return err
		}
		if s.VectorSeq > 0 {
			seq = s.VectorSeq
			return nil
		}
		if err := t.wholeVectors(ctx, s); err != nil {
			return err
		}
		t.emit(event.Set, setName(set))
		return t.must(ctx, showVectors, set, seq)
	})
	return seq, err
}

// wholeVectors checks that no part is missing.
func (t *tx) wholeVectors(ctx context.Context, s retrieval.Set) error {
	parts, err := one(ctx, t.db, scanInt, vectorParts, s.ID)
	if err == nil && parts != (s.Chunks+partSize-1)/partSize {
		return errdefs.Newf(errdefs.Internal, "A set of %d chunks has %d parts of vectors: some are missing.", s.Chunks, parts)
	}
	return err
}

// Vectors implements retrieval.Store: fn gets up to 1,024 vectors at once and
// keeps nothing of them. dims is not needed to read them.
func (db *DB) Vectors(ctx context.Context, set int64, _ int, fn func(first int, vectors []float32) error) (err error) {
	defer fault(&err, "set of chunks")
	parts, err := one(ctx, db, scanInt, vectorParts, set)
	if err != nil {
		return err
	}
	var vectors []float32
	for part := range parts {
		data, err := one(ctx, db, scanBytes, vectorPart, set, part)
		if err != nil {
			return err
		}
		vectors = float16.Values(vectors[:0], data)
		if err := fn(part*partSize, vectors); err != nil {
			return err
		}
	}
	return nil
}

func scanBytes(s scanner) (b []byte, err error) { err = s.Scan(&b); return b, err }

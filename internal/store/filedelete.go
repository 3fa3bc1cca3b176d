package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"portico/internal/access"
	"portico/internal/event"
	"portico/internal/file"
)

const (
	setsOfFile       query = `SELECT id FROM sets WHERE file_id = $1`
	knowledgeOfFile  query = `SELECT knowledge_id FROM knowledge_files WHERE file_id = $1`
	deleteFile       query = `DELETE FROM files WHERE id = $1 RETURNING blob, document`
	someFiles        query = `SELECT id FROM files LIMIT 100`
	someFilesOf      query = `SELECT id FROM files WHERE user_id = $1 LIMIT 100`
	someFilesNamed   query = `SELECT id FROM files WHERE search LIKE $1 ESCAPE '\' LIMIT 100`
	someFilesOfNamed query = `SELECT id FROM files WHERE user_id = $1 AND search LIKE $2 ESCAPE '\' LIMIT 100`

	// A file of nobody's that is in no collection can be reached by nobody.
	strayFiles query = `SELECT f.id FROM files f WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = f.user_id)
		AND NOT EXISTS (SELECT 1 FROM knowledge_files l WHERE l.file_id = f.id) LIMIT 100`

	privateKnowledge query = `SELECT k.id FROM knowledge k WHERE k.user_id = $1
		AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.resource_type = 'knowledge' AND g.resource_id = k.id)`
	setsOfLoose query = `SELECT s.id FROM sets s JOIN files f ON f.id = s.file_id WHERE f.user_id = $1
		AND NOT EXISTS (SELECT 1 FROM knowledge_files l WHERE l.file_id = f.id)`
	deleteLoose query = `DELETE FROM files WHERE user_id = $1
		AND NOT EXISTS (SELECT 1 FROM knowledge_files l WHERE l.file_id = files.id) RETURNING id`
)

// DeleteFile implements file.Store.
func (db *DB) DeleteFile(ctx context.Context, id string) (orphans []string, err error) {
	defer fault(&err, "file")
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		orphans = nil
		blobs, err := t.deleteFile(ctx, id)
		if err != nil {
			return err
		}
		orphans, err = t.orphans(ctx, blobs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return orphans, nil
}

// deleteFile removes one file and gives its blobs.
func (t *tx) deleteFile(ctx context.Context, id string) ([]string, error) {
	sets, err := list(ctx, t.db, scanInt64, setsOfFile, id)
	if err != nil {
		return nil, err
	}
	collections, err := list(ctx, t.db, scanText, knowledgeOfFile, id)
	if err != nil {
		return nil, err
	}
	if err := t.dropGrants(ctx, access.File, id); err != nil {
		return nil, err
	}
	blobs, err := one(ctx, t.db, func(s scanner) (b [2]string, err error) {
		err = s.Scan(&b[0], &b[1])
		return b, err
	}, deleteFile, id)
	if err != nil {
		return nil, err
	}
	t.emit(event.File, id)
	t.emit(event.Knowledge, collections...)
	t.emitSets(sets)
	return blobs[:], nil
}

func (t *tx) emitSets(ids []int64) {
	for _, id := range ids {
		t.emit(event.Set, strconv.FormatInt(id, 10))
	}
}

// orphans are those of the blobs that no file refers to any more, each once.
func (t *tx) orphans(ctx context.Context, blobs []string) (orphans []string, err error) {
	used, err := t.db.UsedBlobs(ctx, blobs)
	if err != nil {
		return nil, err
	}
	for _, b := range blobs {
		if b != "" && !used[b] {
			used[b] = true
			orphans = append(orphans, b)
		}
	}
	return orphans, nil
}

// DeleteFiles implements file.Store. The writer is given to others between a
// hundred files and the next.
func (db *DB) DeleteFiles(ctx context.Context, f file.Filter) (n int, orphans []string, err error) {
	defer fault(&err, "file")
	args := filterArgs(f)
	switch {
	case f.UserID != "" && f.Glob != "":
		return db.deleteSome(ctx, someFilesOfNamed, args...)
	case f.UserID != "":
		return db.deleteSome(ctx, someFilesOf, args...)
	case f.Glob != "":
		return db.deleteSome(ctx, someFilesNamed, args...)
	}
	return db.deleteSome(ctx, someFiles)
}

// DeleteStray implements file.Store.
func (db *DB) DeleteStray(ctx context.Context) (n int, orphans []string, err error) {
	defer fault(&err, "file")
	return db.deleteSome(ctx, strayFiles)
}

// deleteSome deletes what q finds until it finds nothing.
func (db *DB) deleteSome(ctx context.Context, q query, args ...any) (n int, orphans []string, err error) {
	for {
		var deleted int
		var blobs []string
		err := db.write(ctx, func(ctx context.Context, t *tx) error {
			deleted, blobs = 0, nil
			ids, err := list(ctx, db, scanText, q, args...)
			if err != nil {
				return err
			}
			for _, id := range ids {
				of, err := t.deleteFile(ctx, id)
				if errors.Is(err, sql.ErrNoRows) {
					continue // somebody else was faster
				}
				if err != nil {
					return err
				}
				deleted++
				blobs = append(blobs, of...)
			}
			blobs, err = t.orphans(ctx, blobs)
			return err
		})
		if err != nil || deleted == 0 {
			return n, orphans, err
		}
		n += deleted
		orphans = append(orphans, blobs...)
	}
}

// dropFilesOf removes, with a person, their collections that nobody else was
// given, and their files that are in no other. What is in somebody's collection
// stays there. The bytes go with the janitor's next walk.
func (t *tx) dropFilesOf(ctx context.Context, userID string) error {
	collections, err := list(ctx, t.db, scanText, privateKnowledge, userID)
	if err != nil {
		return err
	}
	for _, id := range collections {
		if err := t.db.DeleteKnowledge(ctx, id); err != nil {
			return err
		}
	}
	sets, err := list(ctx, t.db, scanInt64, setsOfLoose, userID)
	if err != nil {
		return err
	}
	files, err := list(ctx, t.db, scanText, deleteLoose, userID)
	if err != nil {
		return err
	}
	t.emitSets(sets)
	t.emit(event.File, files...)
	return nil
}

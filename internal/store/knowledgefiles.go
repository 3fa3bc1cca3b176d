package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"

	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/file"
	"portico/internal/knowledge"
)

const (
	// lockKnowledge makes changes of one collection wait for each other: what a
	// statement after it finds holds until the commit.
	lockKnowledge query = `UPDATE knowledge SET updated_at = CASE WHEN updated_at > $2 THEN updated_at ELSE $2 END WHERE id = $1`

	linkFile query = `INSERT INTO knowledge_files (knowledge_id, file_id, directory_id, user_id, path, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (knowledge_id, file_id) DO NOTHING`
	sameText query = `SELECT f.id FROM files f JOIN knowledge_files l ON l.file_id = f.id AND l.knowledge_id = $1
		WHERE f.text_hash = $2 AND f.text_hash <> '' AND f.id <> $3 LIMIT 1`
	textHashOf query = `SELECT text_hash FROM files WHERE id = $1`
	unlinkPath query = `DELETE FROM knowledge_files WHERE knowledge_id = $1 AND path = $2 AND file_id <> $3 RETURNING file_id`
	setPath    query = `UPDATE knowledge_files SET path = $3, updated_at = $4 WHERE knowledge_id = $1 AND file_id = $2`
	nameOf     query = `SELECT filename FROM files WHERE id = $1`
	moveFile   query = `UPDATE knowledge_files SET directory_id = $3, updated_at = $4 WHERE knowledge_id = $1 AND file_id = $2`

	entryColumns       = fileColumns + `, l.knowledge_id, COALESCE(l.directory_id, ''), l.user_id, l.path, l.created_at, l.updated_at`
	entryByID    query = `SELECT ` + entryColumns + ` FROM knowledge_files l JOIN files f ON f.id = l.file_id
		WHERE l.knowledge_id = $1 AND l.file_id = $2`
	unfinished query = `SELECT ` + fileColumns + ` FROM jobs j JOIN files f ON f.id = j.file_id
		LEFT JOIN knowledge_files l ON l.file_id = f.id AND l.knowledge_id = $1
		WHERE f.status IN ('pending', 'processing') AND (l.file_id IS NOT NULL OR (f.user_id = $2 AND f.target_knowledge = $1)) ORDER BY f.created_at, f.id`
)

func scanEntry(s scanner) (*knowledge.Entry, error) {
	e := &knowledge.Entry{File: new(file.File)}
	return e, scanFileInto(s, e.File, &e.KnowledgeID, &e.DirectoryID, &e.UserID, &e.Path, &e.CreatedAt, &e.UpdatedAt)
}

// changeKnowledge runs fn while nobody else changes the files of a collection.
func (db *DB) changeKnowledge(ctx context.Context, id string, fn func(ctx context.Context, t *tx) error) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Knowledge, id)
		if err := t.must(ctx, lockKnowledge, id, db.seconds()); err != nil {
			return err
		}
		return fn(ctx, t)
	})
}

// LinkFile implements knowledge.Store.
func (db *DB) LinkFile(ctx context.Context, e *knowledge.Entry) (added bool, replaced []string, err error) {
	defer fault(&err, "collection or file")
	err = db.changeKnowledge(ctx, e.KnowledgeID, func(ctx context.Context, t *tx) error {
		added, replaced, err = t.link(ctx, e)
		return err
	})
	return added, replaced, err
}

func (t *tx) link(ctx context.Context, e *knowledge.Entry) (added bool, replaced []string, err error) {
	n, err := t.exec(ctx, linkFile, e.KnowledgeID, e.File.ID, orNull(e.DirectoryID), e.UserID, e.Path, e.CreatedAt, e.UpdatedAt)
	if err != nil {
		return false, nil, err
	}
	if n > 0 && !e.Twice {
		hash, err := one(ctx, t.db, scanText, textHashOf, e.File.ID)
		if err != nil {
			return false, nil, err
		}
		if _, err := one(ctx, t.db, scanText, sameText, e.KnowledgeID, hash, e.File.ID); err == nil {
			return false, nil, errdefs.New(errdefs.Conflict, "Another file of this collection has the same text.")
		} else if err != sql.ErrNoRows {
			return false, nil, err
		}
	}
	if e.Path == "" {
		return n > 0, nil, nil
	}
	if n == 0 {
		if err := t.must(ctx, setPath, e.KnowledgeID, e.File.ID, e.Path, e.UpdatedAt); err != nil {
			return false, nil, err
		}
	}
	replaced, err = list(ctx, t.db, scanText, unlinkPath, e.KnowledgeID, e.Path, e.File.ID)
	return n > 0, replaced, err
}

// unlinkFiles takes the files $1, a JSON array, out of a collection.
func (d *dialect) unlinkFiles() query {
	return query(`DELETE FROM knowledge_files WHERE knowledge_id = $2 AND file_id IN (` + d.texts + `)`)
}

func (t *tx) unlink(ctx context.Context, knowledgeID string, fileIDs []string) error {
	if len(fileIDs) == 0 {
		return nil
	}
	raw, err := json.Marshal(fileIDs)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, t.db.dialect.unlinkFiles(), string(raw), knowledgeID)
	return err
}

// UnlinkFiles implements knowledge.Store.
func (db *DB) UnlinkFiles(ctx context.Context, knowledgeID string, fileIDs []string) (err error) {
	defer fault(&err, "collection")
	return db.changeKnowledge(ctx, knowledgeID, func(ctx context.Context, t *tx) error {
		return t.unlink(ctx, knowledgeID, fileIDs)
	})
}

// Apply implements knowledge.Store. Paths are first cleared, for two files may
// have changed places.
func (db *DB) Apply(ctx context.Context, knowledgeID string, c knowledge.Change) (err error) {
	defer fault(&err, "collection or file")
	return db.changeKnowledge(ctx, knowledgeID, func(ctx context.Context, t *tx) error {
		if err := t.unlink(ctx, knowledgeID, c.Unlink); err != nil {
			return err
		}
		for _, e := range c.Link {
			if _, err := t.exec(ctx, setPath, knowledgeID, e.File.ID, "", e.UpdatedAt); err != nil {
				return err
			}
		}
		for _, e := range c.Link {
			if _, _, err := t.link(ctx, e); err != nil {
				return err
			}
			if err := db.rename(ctx, e.File, e.UpdatedAt); err != nil {
				return err
			}
		}
		return nil
	})
}

// rename gives a file its new name, where it is one.
func (db *DB) rename(ctx context.Context, f *file.File, now int64) error {
	name, err := one(ctx, db, scanText, nameOf, f.ID)
	if err != nil || name == f.Filename {
		return err
	}
	return db.RenameFile(ctx, f.ID, f.Filename, now)
}

// Entry implements knowledge.Store.
func (db *DB) Entry(ctx context.Context, knowledgeID, fileID string) (_ *knowledge.Entry, err error) {
	defer fault(&err, "file in this collection")
	return one(ctx, db, scanEntry, entryByID, knowledgeID, fileID)
}

var entryOrders = map[string]string{"": "l.updated_at", "name": "f.search", "created_at": "l.created_at"}

// matching writes what a filter asks of files.
func (s *statement) matching(f *knowledge.FileFilter) {
	switch {
	case f.DirectoryID == nil:
	case *f.DirectoryID == "":
		s.add(` AND l.directory_id IS NULL`)
	default:
		s.add(` AND l.directory_id = ?`, *f.DirectoryID)
	}
	if f.Mine != "" {
		s.add(` AND f.user_id = ?`, f.Mine)
	}
	if f.Shared != "" {
		s.add(` AND f.user_id <> ?`, f.Shared)
	}
	if f.Query != "" {
		s.add(` AND `+s.d.position+`(f.search, ?) > 0`, strings.ToLower(f.Query))
	}
}

// Entries implements knowledge.Store.
func (db *DB) Entries(ctx context.Context, knowledgeID string, f knowledge.FileFilter) (page []*knowledge.Entry, total int, err error) {
	defer fault(&err, "collection")
	return db.entryPage(ctx, f, func(s *statement) error {
		s.add(` FROM knowledge_files l JOIN files f ON f.id = l.file_id WHERE l.knowledge_id = ?`, knowledgeID)
		return nil
	})
}

// FindEntries implements knowledge.Store.
func (db *DB) FindEntries(ctx context.Context, in knowledge.Filter, f knowledge.FileFilter) (page []*knowledge.Entry, total int, err error) {
	defer fault(&err, "collection")
	return db.entryPage(ctx, f, func(s *statement) error {
		s.add(` FROM (SELECT k.id AS readable`)
		if err := s.found(&in); err != nil {
			return err
		}
		s.add(`) AS r JOIN knowledge_files l ON l.knowledge_id = r.readable JOIN files f ON f.id = l.file_id WHERE 1 = 1`)
		return nil
	})
}

// entryPage counts and reads; from writes FROM and the beginning of WHERE. A
// page that is not full tells the total.
func (db *DB) entryPage(ctx context.Context, f knowledge.FileFilter, from func(*statement) error) (page []*knowledge.Entry, total int, err error) {
	if f.Limit <= 0 {
		f.Limit = 30
	}
	f.Offset = max(f.Offset, 0)
	in := statement{d: db.dialect}
	in.add(`SELECT ` + entryColumns)
	if err := from(&in); err != nil {
		return nil, 0, err
	}
	in.matching(&f)
	in.add(order(entryOrders, f.OrderBy, "f.id", f.Ascending)+` LIMIT ? OFFSET ?`, f.Limit, f.Offset)
	page, err = list(ctx, db, scanEntry, in.query(), in.args...)
	if err != nil || (len(page) < f.Limit && (len(page) > 0 || f.Offset == 0)) {
		return page, f.Offset + len(page), err
	}
	count := statement{d: db.dialect}
	count.add(`SELECT count(*)`)
	if err := from(&count); err != nil {
		return nil, 0, err
	}
	count.matching(&f)
	total, err = one(ctx, db, scanInt, count.query(), count.args...)
	return page, total, err
}

// Unfinished implements knowledge.Store.
func (db *DB) Unfinished(ctx context.Context, knowledgeID, userID string) (_ []*file.File, err error) {
	defer fault(&err, "collection")
	return list(ctx, db, scanFile, unfinished, knowledgeID, userID)
}

// ownFiles finds the uploads of a person with one of the blobs $1.
func (d *dialect) ownFiles() query {
	return query(`SELECT ` + fileColumns + ` FROM files f WHERE f.user_id = $2 AND f.kind = 'upload' AND f.blob IN (` + d.texts + `)`)
}

// OwnFiles implements knowledge.Store.
func (db *DB) OwnFiles(ctx context.Context, userID string, blobs []string) (_ []*file.File, err error) {
	defer fault(&err, "file")
	raw, err := json.Marshal(blobs)
	if err != nil {
		return nil, err
	}
	return list(ctx, db, scanFile, db.dialect.ownFiles(), string(raw), userID)
}

// elsewhere finds those of the files $1 that other collections have.
func (d *dialect) elsewhere() query {
	return query(`SELECT DISTINCT file_id FROM knowledge_files WHERE knowledge_id <> $2 AND file_id IN (` + d.texts + `)`)
}

// Elsewhere implements knowledge.Store.
func (db *DB) Elsewhere(ctx context.Context, knowledgeID string, fileIDs []string) (_ []string, err error) {
	defer fault(&err, "file")
	raw, err := json.Marshal(fileIDs)
	if err != nil {
		return nil, err
	}
	return list(ctx, db, scanText, db.dialect.elsewhere(), string(raw), knowledgeID)
}

// MoveFile implements knowledge.Store.
func (db *DB) MoveFile(ctx context.Context, knowledgeID, fileID, directoryID string, now int64) (err error) {
	defer fault(&err, "file in this collection")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Knowledge, knowledgeID)
		return t.must(ctx, moveFile, knowledgeID, fileID, orNull(directoryID), now)
	})
}

package store

import (
	"context"
	"encoding/json"

	"portico/internal/errdefs"
	"portico/internal/knowledge"
)

const (
	insertDirectory query = `INSERT INTO directories (id, knowledge_id, parent_id, user_id, name, meta, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	directoriesOf query = `SELECT id, knowledge_id, COALESCE(parent_id, ''), user_id, name, meta, created_at, updated_at
		FROM directories WHERE knowledge_id = $1 ORDER BY name, id`
	updateDirectory query = `UPDATE directories SET parent_id = $3, name = $4, meta = $5, updated_at = $6 WHERE knowledge_id = $1 AND id = $2`
)

func scanDirectory(s scanner) (*knowledge.Directory, error) {
	d := new(knowledge.Directory)
	var meta string
	err := s.Scan(&d.ID, &d.KnowledgeID, &d.ParentID, &d.UserID, &d.Name, &meta, &d.CreatedAt, &d.UpdatedAt)
	if meta != "" {
		d.Meta = json.RawMessage(meta)
	}
	return d, err
}

// CreateDirectory implements knowledge.Store.
func (db *DB) CreateDirectory(ctx context.Context, d *knowledge.Directory) (err error) {
	defer fault(&err, "collection or directory")
	return db.changeKnowledge(ctx, d.KnowledgeID, func(ctx context.Context, t *tx) error {
		if err := t.checkParent(ctx, d); err != nil {
			return err
		}
		_, err := t.exec(ctx, insertDirectory, d.ID, d.KnowledgeID, orNull(d.ParentID), d.UserID, d.Name, string(d.Meta), d.CreatedAt, d.UpdatedAt)
		return err
	})
}

// Directories implements knowledge.Store, by name.
func (db *DB) Directories(ctx context.Context, knowledgeID string) (_ []*knowledge.Directory, err error) {
	defer fault(&err, "collection")
	return list(ctx, db, scanDirectory, directoriesOf, knowledgeID)
}

// UpdateDirectory implements knowledge.Store.
func (db *DB) UpdateDirectory(ctx context.Context, d *knowledge.Directory) (err error) {
	defer fault(&err, "directory")
	return db.changeKnowledge(ctx, d.KnowledgeID, func(ctx context.Context, t *tx) error {
		if err := t.checkParent(ctx, d); err != nil {
			return err
		}
		return t.must(ctx, updateDirectory, d.KnowledgeID, d.ID, orNull(d.ParentID), d.Name, string(d.Meta), d.UpdatedAt)
	})
}

// checkParent refuses a parent of another collection, and one that is below
// the directory itself: also where two are moved at once.
func (t *tx) checkParent(ctx context.Context, d *knowledge.Directory) error {
	if d.ParentID == "" {
		return nil
	}
	all, err := list(ctx, t.db, scanDirectory, directoriesOf, d.KnowledgeID)
	if err != nil {
		return err
	}
	up := make(map[string]string, len(all))
	for _, other := range all {
		up[other.ID] = other.ParentID
	}
	if _, ok := up[d.ParentID]; !ok {
		return errdefs.New(errdefs.NotFound, "There is no such directory in this collection.")
	}
	for id := d.ParentID; id != ""; id = up[id] {
		if id == d.ID {
			return errdefs.New(errdefs.Invalid, "A directory cannot be moved into itself or below itself.")
		}
	}
	return nil
}

// deleteDirectories removes the directories $1, a JSON array.
func (d *dialect) deleteDirectories() query {
	return query(`DELETE FROM directories WHERE knowledge_id = $2 AND id IN (` + d.texts + `)`)
}

// DeleteDirectories implements knowledge.Store.
func (db *DB) DeleteDirectories(ctx context.Context, knowledgeID string, ids []string) (err error) {
	defer fault(&err, "directory")
	if len(ids) == 0 {
		return nil
	}
	raw, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return db.changeKnowledge(ctx, knowledgeID, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, db.dialect.deleteDirectories(), string(raw), knowledgeID)
		return err
	})
}

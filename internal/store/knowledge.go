package store

import (
	"context"
	"encoding/json"

	"portico/internal/access"
	"portico/internal/event"
	"portico/internal/knowledge"
)

const (
	insertKnowledge query = `INSERT INTO knowledge (id, user_id, kind, name, description, search, meta, settings, profile, next_profile, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

	knowledgeColumns       = `k.id, k.user_id, k.kind, k.name, k.description, k.meta, k.settings, k.profile, k.next_profile, k.created_at, k.updated_at`
	knowledgeByID    query = `SELECT ` + knowledgeColumns + ` FROM knowledge k WHERE k.id = $1`
	knowledgeByName  query = `SELECT ` + knowledgeColumns + ` FROM knowledge k
		WHERE k.user_id = $1 AND k.kind = $2 AND k.name = $3 ORDER BY k.created_at, k.id LIMIT 1`
	updateKnowledge query = `UPDATE knowledge SET name = $2, description = $3, search = $4, meta = $5, settings = $6, updated_at = $7 WHERE id = $1`
	setProfiles     query = `UPDATE knowledge SET profile = $2, next_profile = $3, updated_at = $4 WHERE id = $1`
	deleteKnowledge query = `DELETE FROM knowledge WHERE id = $1`

	// A set is whole when its vectors are, or when its profile has none.
	indexProgress query = `SELECT count(CASE WHEN s.vector_seq > 0 OR (s.space = '' AND s.text_seq > 0) OR s.error <> '' THEN 1 END), count(*)
		FROM knowledge_files l LEFT JOIN sets s ON s.file_id = l.file_id AND s.profile = $2 WHERE l.knowledge_id = $1`

	modelMeta query = `UPDATE models SET meta = $2 WHERE id = $1`
)

// knowledgeSettings is how settings are kept: as a JSON object.
func knowledgeSettings(s knowledge.Settings) (string, error) {
	raw, err := json.Marshal(s)
	return string(raw), err
}

func scanKnowledge(s scanner) (*knowledge.Knowledge, error) {
	k := new(knowledge.Knowledge)
	return k, scanKnowledgeInto(s, k)
}

func scanKnowledgeInto(s scanner, k *knowledge.Knowledge, more ...any) error {
	var meta, settings string
	dest := []any{&k.ID, &k.UserID, &k.Kind, &k.Name, &k.Description, &meta, &settings, &k.Profile, &k.Next, &k.CreatedAt, &k.UpdatedAt}
	if err := s.Scan(append(dest, more...)...); err != nil {
		return err
	}
	if meta != "" {
		k.Meta = json.RawMessage(meta)
	}
	return json.Unmarshal([]byte(settings), &k.Settings)
}

// CreateKnowledge implements knowledge.Store.
func (db *DB) CreateKnowledge(ctx context.Context, k *knowledge.Knowledge, grants []access.Grant) (err error) {
	defer fault(&err, "collection")
	settings, err := knowledgeSettings(k.Settings)
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, insertKnowledge, k.ID, k.UserID, k.Kind, k.Name, k.Description, searchText(k.Name, k.Description),
			string(k.Meta), settings, k.Profile, k.Next, k.CreatedAt, k.UpdatedAt)
		if err != nil {
			return err
		}
		t.emit(event.Knowledge, k.ID)
		if len(grants) == 0 {
			return nil
		}
		return t.addGrants(ctx, access.Knowledge, k.ID, grants)
	})
}

// KnowledgeByID implements knowledge.Store.
func (db *DB) KnowledgeByID(ctx context.Context, id string) (_ *knowledge.Knowledge, err error) {
	defer fault(&err, "collection")
	return one(ctx, db, scanKnowledge, knowledgeByID, id)
}

// KnowledgeByName implements knowledge.Store: the oldest of that name.
func (db *DB) KnowledgeByName(ctx context.Context, userID, kind, name string) (_ *knowledge.Knowledge, err error) {
	defer fault(&err, "collection")
	return one(ctx, db, scanKnowledge, knowledgeByName, userID, kind, name)
}

// UpdateKnowledge implements knowledge.Store.
func (db *DB) UpdateKnowledge(ctx context.Context, k *knowledge.Knowledge) (err error) {
	defer fault(&err, "collection")
	settings, err := knowledgeSettings(k.Settings)
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Knowledge, k.ID)
		return t.must(ctx, updateKnowledge, k.ID, k.Name, k.Description, searchText(k.Name, k.Description), string(k.Meta), settings, k.UpdatedAt)
	})
}

// SetProfiles implements knowledge.Store.
func (db *DB) SetProfiles(ctx context.Context, id, profile, next string, now int64) (err error) {
	defer fault(&err, "collection")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Knowledge, id)
		return t.must(ctx, setProfiles, id, profile, next, now)
	})
}

// IndexProgress implements knowledge.Store.
func (db *DB) IndexProgress(ctx context.Context, knowledgeID, profile string) (_ knowledge.Progress, err error) {
	defer fault(&err, "collection")
	return one(ctx, db, func(s scanner) (p knowledge.Progress, err error) {
		err = s.Scan(&p.Done, &p.Total)
		return p, err
	}, indexProgress, knowledgeID, profile)
}

// DeleteKnowledge implements knowledge.Store.
func (db *DB) DeleteKnowledge(ctx context.Context, id string) (err error) {
	defer fault(&err, "collection")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if err := t.dropGrants(ctx, access.Knowledge, id); err != nil {
			return err
		}
		if err := t.forgetKnowledge(ctx, id); err != nil {
			return err
		}
		t.emit(event.Knowledge, id)
		return t.must(ctx, deleteKnowledge, id) // its links and directories go with it
	})
}

// modelsNaming finds the models whose meta holds the text $1.
func (d *dialect) modelsNaming() query {
	return query(`SELECT id, meta FROM models WHERE ` + d.position + `(meta, $1) > 0`)
}

// forgetKnowledge takes a collection out of what is attached to models.
func (t *tx) forgetKnowledge(ctx context.Context, id string) error {
	models, err := list(ctx, t.db, func(s scanner) (m [2]string, err error) {
		err = s.Scan(&m[0], &m[1])
		return m, err
	}, t.db.dialect.modelsNaming(), id)
	if err != nil {
		return err
	}
	for _, m := range models {
		meta, changed := withoutKnowledge(m[1], id)
		if !changed {
			continue
		}
		t.emit(event.Model, m[0])
		if err := t.must(ctx, modelMeta, m[0], meta); err != nil {
			return err
		}
	}
	return nil
}

// withoutKnowledge removes the items of "knowledge" in a model's meta that name
// a collection: as an object with its id, or by the id alone.
func withoutKnowledge(meta, id string) (string, bool) {
	var all map[string]json.RawMessage
	var items []json.RawMessage
	if json.Unmarshal([]byte(meta), &all) != nil || json.Unmarshal(all["knowledge"], &items) != nil {
		return meta, false
	}
	kept := []json.RawMessage{}
	for _, item := range items {
		var object struct {
			ID string `json:"id"`
		}
		var text string
		if json.Unmarshal(item, &object) == nil && object.ID == id || json.Unmarshal(item, &text) == nil && text == id {
			continue
		}
		kept = append(kept, item)
	}
	if len(kept) == len(items) {
		return meta, false
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		return meta, false
	}
	all["knowledge"] = raw
	if raw, err = json.Marshal(all); err != nil {
		return meta, false
	}
	return string(raw), true
}

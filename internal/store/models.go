package store

import (
	"context"
	"encoding/json"

	"portico/internal/access"
	"portico/internal/event"
	"portico/internal/model"
)

const (
	insertModel query = `INSERT INTO models (id, user_id, base_model_id, name, params, meta, is_active, version_id, updated_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

	modelColumns       = `id, user_id, COALESCE(base_model_id, ''), name, params, meta, is_active, version_id, updated_at, created_at`
	allModels    query = `SELECT ` + modelColumns + ` FROM models ORDER BY created_at, id`
	modelByID    query = `SELECT ` + modelColumns + ` FROM models WHERE id = $1`
	updateModel  query = `UPDATE models SET user_id = $2, base_model_id = $3, name = $4, params = $5, meta = $6,
		is_active = $7, version_id = $8, updated_at = $9 WHERE id = $1`
	keepVersion query = `INSERT INTO model_versions (model_id, version_id, user_id, snapshot, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (model_id, created_at, version_id) DO NOTHING`
	dropVersions query = `DELETE FROM model_versions WHERE model_id = $1 AND version_id NOT IN
		(SELECT version_id FROM model_versions WHERE model_id = $1 ORDER BY created_at DESC, version_id DESC LIMIT 20)`
	versionsOf query = `SELECT version_id, model_id, user_id, snapshot, created_at FROM model_versions WHERE model_id = $1
		ORDER BY created_at DESC, version_id DESC`
	deleteModel query = `DELETE FROM models WHERE id = $1`
)

func scanModel(s scanner) (*model.Row, error) {
	m := new(model.Row)
	var params, meta string
	err := s.Scan(&m.ID, &m.UserID, &m.BaseModelID, &m.Name, &params, &meta, &m.IsActive, &m.VersionID, &m.UpdatedAt, &m.CreatedAt)
	m.Params, m.Meta = json.RawMessage(params), json.RawMessage(meta)
	return m, err
}

// Models implements model.Store, oldest first.
func (db *DB) Models(ctx context.Context) (_ []*model.Row, err error) {
	defer fault(&err, "model")
	return list(ctx, db, scanModel, allModels)
}

// ModelByID implements model.Store.
func (db *DB) ModelByID(ctx context.Context, id string) (_ *model.Row, err error) {
	defer fault(&err, "model")
	return one(ctx, db, scanModel, modelByID, id)
}

// CreateModel implements model.Store.
func (db *DB) CreateModel(ctx context.Context, m *model.Row, grants []access.Grant) (err error) {
	defer fault(&err, "model")
	return db.write(ctx, func(ctx context.Context, t *tx) error { return t.addModel(ctx, m, grants) })
}

func (t *tx) addModel(ctx context.Context, m *model.Row, grants []access.Grant) error {
	if _, err := t.exec(ctx, insertModel, m.ID, m.UserID, orNull(m.BaseModelID), m.Name,
		object(m.Params), object(m.Meta), m.IsActive, m.VersionID, m.UpdatedAt, m.CreatedAt); err != nil {
		return err
	}
	t.emit(event.Model, m.ID)
	if len(grants) == 0 {
		return nil
	}
	return t.addGrants(ctx, access.Model, m.ID, grants)
}

// SaveModels implements model.Store.
func (db *DB) SaveModels(ctx context.Context, changes []model.Change, drop []string) (err error) {
	defer fault(&err, "model")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		for _, id := range drop {
			if err := t.dropModel(ctx, id); err != nil {
				return err
			}
		}
		for i := range changes {
			if err := t.saveModel(ctx, &changes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// saveModel stores a row: of one that is there, everything but id and
// created_at.
func (t *tx) saveModel(ctx context.Context, c *model.Change) error {
	m := c.Row
	if c.New {
		var grants []access.Grant
		if c.Grants != nil {
			grants = *c.Grants
		}
		return t.addModel(ctx, m, grants)
	}
	was, err := one(ctx, t.db, scanModel, modelByID, m.ID)
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, keepVersion, m.ID, was.VersionID, c.By, string(was.AppendJSON(nil, nil, true)), was.UpdatedAt); err != nil {
		return err
	}
	if _, err := t.exec(ctx, dropVersions, m.ID); err != nil {
		return err
	}
	t.emit(event.Model, m.ID)
	if c.Grants != nil {
		if _, err := t.exec(ctx, deleteGrantsUpon, string(access.Model), m.ID); err != nil {
			return err
		}
		if err := t.addGrants(ctx, access.Model, m.ID, *c.Grants); err != nil {
			return err
		}
	}
	return t.must(ctx, updateModel, m.ID, m.UserID, orNull(m.BaseModelID), m.Name,
		object(m.Params), object(m.Meta), m.IsActive, m.VersionID, m.UpdatedAt)
}

// Versions implements model.Store.
func (db *DB) Versions(ctx context.Context, id string) (_ []model.Version, err error) {
	defer fault(&err, "model")
	return list(ctx, db, func(s scanner) (v model.Version, err error) {
		var snapshot string
		err = s.Scan(&v.ID, &v.ModelID, &v.UserID, &snapshot, &v.CreatedAt)
		v.Snapshot = json.RawMessage(snapshot)
		return v, err
	}, versionsOf, id)
}

// DeleteModel implements model.Store.
func (db *DB) DeleteModel(ctx context.Context, id string) (err error) {
	defer fault(&err, "model")
	return db.write(ctx, func(ctx context.Context, t *tx) error { return t.dropModel(ctx, id) })
}

func (t *tx) dropModel(ctx context.Context, id string) error {
	if err := t.dropGrants(ctx, access.Model, id); err != nil {
		return err
	}
	t.emit(event.Model, id)
	return t.must(ctx, deleteModel, id) // its versions go with it
}

// orNull keeps an absent reference as NULL.
func orNull(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}

// object is a JSON object as text, {} when absent.
func object(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return "{}"
	}
	return string(raw)
}

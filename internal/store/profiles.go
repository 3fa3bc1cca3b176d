package store

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"portico/internal/retrieval"
)

const (
	insertProfile query = `INSERT INTO profiles (id, settings, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`
	profileByID   query = `SELECT settings FROM profiles WHERE id = $1`

	instanceID     query = `SELECT value FROM instance WHERE name = 'id'`
	makeInstanceID query = `UPDATE instance SET value = CASE WHEN value = '' THEN $1 ELSE value END WHERE name = 'id' RETURNING value`
	// count locks its row until the commit: whoever counts next waits for it, so
	// that numbers become visible in their order.
	count query = `UPDATE instance SET n = n + 1 WHERE name = $1 RETURNING n`
)

// The counters of table instance.
const (
	countSeq = "seq" // what became visible
	countSet = "set" // ids of sets
	countJob = "job" // ids of work
)

// next gives the next number of a counter.
func (t *tx) next(ctx context.Context, counter string) (int64, error) {
	return one(ctx, t.db, scanInt64, count, counter)
}

// SaveProfile implements retrieval.Store.
func (db *DB) SaveProfile(ctx context.Context, p *retrieval.Profile, now int64) (err error) {
	defer fault(&err, "profile")
	settings, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, insertProfile, p.ID, string(settings), now)
		return err
	})
}

// ProfileByID implements retrieval.Store.
func (db *DB) ProfileByID(ctx context.Context, id string) (_ *retrieval.Profile, err error) {
	defer fault(&err, "profile")
	settings, err := one(ctx, db, scanText, profileByID, id)
	if err != nil {
		return nil, err
	}
	p := &retrieval.Profile{ID: id}
	return p, json.Unmarshal([]byte(settings), p)
}

// InstanceID implements retrieval.Store.
func (db *DB) InstanceID(ctx context.Context) (id string, err error) {
	defer fault(&err, "instance")
	if id, err = one(ctx, db, scanText, instanceID); err != nil || id != "" {
		return id, err
	}
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		id, err = one(ctx, db, scanText, makeInstanceID, uuid.NewString())
		return err
	})
	return id, err
}

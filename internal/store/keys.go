package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"portico/internal/auth"
	"portico/internal/event"
)

const (
	keyColumns = `id, user_id, name, hash, prefix, last4, models, routes, expires_at, last_used, created_at`

	insertKey       query = `INSERT INTO api_keys (` + keyColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	keyByHash       query = `SELECT ` + keyColumns + ` FROM api_keys WHERE hash = $1`
	keysOf          query = `SELECT ` + keyColumns + ` FROM api_keys WHERE user_id = $1 ORDER BY created_at, id`
	updateKey       query = `UPDATE api_keys SET name = $3, models = $4, routes = $5, expires_at = $6 WHERE user_id = $1 AND id = $2 RETURNING hash`
	deleteKey       query = `DELETE FROM api_keys WHERE user_id = $1 AND id = $2 RETURNING hash`
	deleteKeyByName query = `DELETE FROM api_keys WHERE user_id = $1 AND name = $2 RETURNING hash`
	touchKey        query = `UPDATE api_keys SET last_used = $2 WHERE id = $1 AND last_used < $2`
)

func scanKey(s scanner) (*auth.Key, error) {
	k := new(auth.Key)
	var hash []byte
	var models, routes string
	if err := s.Scan(&k.ID, &k.UserID, &k.Name, &hash, &k.Prefix, &k.Last4, &models, &routes,
		&k.ExpiresAt, &k.LastUsed, &k.CreatedAt); err != nil {
		return nil, err
	}
	if copy(k.Hash[:], hash) != len(k.Hash) {
		return nil, fmt.Errorf("api key %s: its hash has %d bytes", k.ID, len(hash))
	}
	if err := json.Unmarshal([]byte(models), &k.Models); err != nil {
		return nil, fmt.Errorf("api key %s: models: %w", k.ID, err)
	}
	if err := json.Unmarshal([]byte(routes), &k.Routes); err != nil {
		return nil, fmt.Errorf("api key %s: routes: %w", k.ID, err)
	}
	return k, nil
}

// scanHash gives a key's hash as events name it.
func scanHash(s scanner) (string, error) {
	var hash []byte
	err := s.Scan(&hash)
	return hex.EncodeToString(hash), err
}

// CreateKey implements auth.Store.
func (db *DB) CreateKey(ctx context.Context, k *auth.Key, replace bool) (err error) {
	defer fault(&err, "API key")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if replace {
			ended, err := list(ctx, db, scanHash, deleteKeyByName, k.UserID, k.Name)
			if err != nil {
				return err
			}
			t.emit(event.Key, ended...)
		}
		_, err := t.exec(ctx, insertKey, k.ID, k.UserID, k.Name, k.Hash[:], k.Prefix, k.Last4,
			textList(k.Models), textList(k.Routes), k.ExpiresAt, k.LastUsed, k.CreatedAt)
		return err
	})
}

// textList is a list of strings as JSON, null when empty.
func textList(items []string) string {
	if len(items) == 0 {
		return "null"
	}
	text, _ := json.Marshal(items) // strings only: cannot fail
	return string(text)
}

// KeyByHash implements auth.Store. An expired key is given too.
func (db *DB) KeyByHash(ctx context.Context, hash [32]byte) (_ *auth.Key, err error) {
	defer fault(&err, "API key")
	return one(ctx, db, scanKey, keyByHash, hash[:])
}

// KeysOf implements auth.Store, oldest first.
func (db *DB) KeysOf(ctx context.Context, userID string) (_ []*auth.Key, err error) {
	defer fault(&err, "API key")
	return list(ctx, db, scanKey, keysOf, userID)
}

// UpdateKey implements auth.Store: name, scopes and expiry.
func (db *DB) UpdateKey(ctx context.Context, k *auth.Key) (err error) {
	defer fault(&err, "API key")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		hash, err := one(ctx, db, scanHash, updateKey, k.UserID, k.ID, k.Name, textList(k.Models), textList(k.Routes), k.ExpiresAt)
		t.emit(event.Key, hash)
		return err
	})
}

// DeleteKey implements auth.Store.
func (db *DB) DeleteKey(ctx context.Context, userID, id string) (err error) {
	defer fault(&err, "API key")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		hash, err := one(ctx, db, scanHash, deleteKey, userID, id)
		t.emit(event.Key, hash)
		return err
	})
}

// TouchKeys implements auth.Store, by key id. A later time that another server
// wrote stays.
func (db *DB) TouchKeys(ctx context.Context, at map[string]int64) (err error) {
	defer fault(&err, "API key")
	return db.touch(ctx, touchKey, at)
}

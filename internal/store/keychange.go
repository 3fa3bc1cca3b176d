package store

import (
	"context"

	"portico/internal/auth"
	"portico/internal/event"
)

const updateKey query = `UPDATE api_keys SET name = $3, models = $4, routes = $5, expires_at = $6 WHERE user_id = $1 AND id = $2 RETURNING hash`

// UpdateKey implements auth.Store.
func (db *DB) UpdateKey(ctx context.Context, k *auth.Key) (err error) {
	defer fault(&err, "API key")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		hash, err := one(ctx, db, scanHash, updateKey, k.UserID, k.ID, k.Name, textList(k.Models), textList(k.Routes), k.ExpiresAt)
		t.emit(event.Key, hash)
		return err
	})
}

package store

import (
	"context"

	"portico/internal/auth"
	"portico/internal/event"
)

const (
	insertCredential query = `INSERT INTO credentials (user_id, password_hash, stamp) VALUES ($1, $2, $3)`
	credentialOf     query = `SELECT user_id, password_hash, stamp FROM credentials WHERE user_id = $1`
	setPassword      query = `UPDATE credentials SET password_hash = $2, stamp = $3 WHERE user_id = $1`
	setStamp         query = `UPDATE credentials SET stamp = $2 WHERE user_id = $1`
	upgradeHash      query = `UPDATE credentials SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2`

	insertRevoked query = `INSERT INTO revoked_tokens (jti, user_id, expires_at) VALUES ($1, $2, $3) ON CONFLICT (jti) DO NOTHING`
	purgeRevoked  query = `DELETE FROM revoked_tokens WHERE expires_at > 0 AND expires_at <= $1`
	revokedOf     query = `SELECT jti FROM revoked_tokens WHERE user_id = $1 AND (expires_at = 0 OR expires_at > $2) ORDER BY jti`
)

// Credential implements auth.Store.
func (db *DB) Credential(ctx context.Context, userID string) (_ *auth.Credential, err error) {
	defer fault(&err, "user")
	return one(ctx, db, func(s scanner) (*auth.Credential, error) {
		c := new(auth.Credential)
		err := s.Scan(&c.UserID, &c.PasswordHash, &c.Stamp)
		return c, err
	}, credentialOf, userID)
}

// SetPassword implements auth.Store.
func (db *DB) SetPassword(ctx context.Context, userID, hash, stamp string) error {
	return db.changeCredential(ctx, userID, setPassword, hash, stamp)
}

// SetStamp implements auth.Store.
func (db *DB) SetStamp(ctx context.Context, userID, stamp string) error {
	return db.changeCredential(ctx, userID, setStamp, stamp)
}

func (db *DB) changeCredential(ctx context.Context, userID string, q query, values ...any) (err error) {
	defer fault(&err, "user")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.User, userID)
		return t.must(ctx, q, append([]any{userID}, values...)...)
	})
}

// UpgradeHash implements auth.Store. A hash that changed meanwhile is no error.
func (db *DB) UpgradeHash(ctx context.Context, userID, old, hash string) (err error) {
	defer fault(&err, "user")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, upgradeHash, userID, old, hash)
		return err
	})
}

// RevokeToken implements auth.Store. An expiry of 0 is remembered for ever.
// What nobody needs to remember any more is forgotten on the way.
func (db *DB) RevokeToken(ctx context.Context, jti, userID string, expiresAt int64) (err error) {
	defer fault(&err, "user")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, purgeRevoked, db.seconds()); err != nil {
			return err
		}
		t.emit(event.User, userID)
		_, err := t.exec(ctx, insertRevoked, jti, userID, expiresAt)
		return err
	})
}

// RevokedTokens implements auth.Store.
func (db *DB) RevokedTokens(ctx context.Context, userID string, now int64) (_ []string, err error) {
	defer fault(&err, "user")
	return list(ctx, db, scanText, revokedOf, userID, now)
}

package auth

import "context"

// Credential is what a person signs in with.
type Credential struct {
	UserID string
	// PasswordHash is argon2id or bcrypt in its usual text form; empty means
	// that no password opens this account.
	PasswordHash string
	// Stamp is put into each token; a new stamp ends all earlier tokens.
	Stamp string
}

// Key is an API key as it is kept: the key itself is shown once and not stored.
type Key struct {
	ID        string   // uuid
	UserID    string   //
	Name      string   // "default" is the one that POST api_key rotates
	Hash      [32]byte // SHA-256 of the whole key; unique
	Prefix    string   // first characters, to recognise it by
	Last4     string   // last four characters
	Models    []string // scope: model ids; empty is all of the owner's
	Routes    []string // scope: path prefixes; empty is all
	ExpiresAt int64    // 0 is never
	LastUsed  int64    // 0 is never
	CreatedAt int64
}

// Store keeps credentials and keys. Absent things give errdefs.NotFound.
type Store interface {
	Credential(ctx context.Context, userID string) (*Credential, error)
	// SetPassword replaces hash and stamp together and emits a "user" event.
	SetPassword(ctx context.Context, userID, hash, stamp string) error
	// SetStamp ends all tokens of a person and emits a "user" event.
	SetStamp(ctx context.Context, userID, stamp string) error
	// UpgradeHash replaces the hash only if it still is old; no event.
	UpgradeHash(ctx context.Context, userID, old, hash string) error

	// RevokeToken remembers a signed-out token (its jti) until it would have
	// expired, and emits a "user" event for the user. An expiresAt of 0 is never.
	RevokeToken(ctx context.Context, jti, userID string, expiresAt int64) error
	// RevokedTokens gives the jtis of one person that are still worth remembering.
	RevokedTokens(ctx context.Context, userID string, now int64) ([]string, error)

	// CreateKey inserts k; with replace it deletes the same user's key of that
	// name in the same transaction. A taken name gives errdefs.Conflict.
	// It emits a "key" event for each key that ends.
	CreateKey(ctx context.Context, k *Key, replace bool) error
	KeyByHash(ctx context.Context, hash [32]byte) (*Key, error)
	KeysOf(ctx context.Context, userID string) ([]*Key, error)
	// UpdateKey sets name, models, routes and expiry of the key with k.ID and
	// k.UserID, and emits a "key" event. A taken name gives errdefs.Conflict.
	UpdateKey(ctx context.Context, k *Key) error
	DeleteKey(ctx context.Context, userID, id string) error
	// TouchKeys sets last_used of many keys in one transaction, without an event.
	TouchKeys(ctx context.Context, at map[string]int64) error
}

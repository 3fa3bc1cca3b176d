// Package setting holds what an administrator may change while the server
// runs: typed keys over the values stored in the database, over their
// defaults. A value that comes from a flag, the environment or the
// configuration file is pinned: it wins, and the API refuses a different one.
// What must be known before the database opens is in package config.
package setting

import "context"

// Origin says where a value came from.
type Origin string

// The origins, strongest first.
const (
	FromFlag    Origin = "flag"
	FromEnv     Origin = "environment"
	FromFile    Origin = "file"
	FromStore   Origin = "stored"
	FromDefault Origin = "default"
)

// Store keeps settings as JSON by dotted key. SetSettings writes all or
// nothing and emits a "setting" event for each key.
type Store interface {
	Settings(ctx context.Context) (map[string][]byte, error)
	SetSettings(ctx context.Context, values map[string][]byte) error
	DeleteSettings(ctx context.Context, keys ...string) error
}

// Package model is the registry: which models there are, who may use them, and
// which upstream answers for each. It asks upstreams for their lists, keeps
// the last good answer of each, lays the rows of the database over them, and
// resolves an id to a Target in memory. It sends no chat.
package model

import (
	"context"
	"encoding/json"

	"portico/internal/access"
	"portico/internal/provider"
)

// Row is a model in the database: an overlay on a base model when BaseModelID
// is empty, else a workspace model. Params and Meta are JSON objects.
type Row struct {
	ID          string          `json:"id"`
	UserID      string          `json:"user_id"`
	BaseModelID string          `json:"base_model_id"`
	Name        string          `json:"name"`
	Params      json.RawMessage `json:"params"`
	Meta        json.RawMessage `json:"meta"`
	IsActive    bool            `json:"is_active"`
	VersionID   string          `json:"version_id"`
	UpdatedAt   int64           `json:"updated_at"`
	CreatedAt   int64           `json:"created_at"`
}

// Store keeps rows. Writes emit an event of topic "model".
type Store interface {
	Models(ctx context.Context) ([]*Row, error)
	ModelByID(ctx context.Context, id string) (*Row, error)
	// CreateModel inserts m and its grants in one transaction; errdefs.Conflict when the id is taken.
	CreateModel(ctx context.Context, m *Row, grants []access.Grant) error
	// SaveModels makes all changes, and removes the rows of drop with their
	// grants, in one transaction. What a changed row was before is kept as a
	// version, the last 20 of each.
	SaveModels(ctx context.Context, changes []Change, drop []string) error
	// Versions gives what a row was before, the latest first.
	Versions(ctx context.Context, id string) ([]Version, error)
	// DeleteModel removes the row and its grants.
	DeleteModel(ctx context.Context, id string) error
}

// Change is a row to be stored.
type Change struct {
	Row    *Row
	Grants *[]access.Grant // nil leaves them
	New    bool            // it is not there yet
	By     string          // who changes it
}

// Version is what a row was before it was changed.
type Version struct {
	ID        string          `json:"id"` // version_id of the row then
	ModelID   string          `json:"model_id"`
	UserID    string          `json:"user_id"` // who changed it
	Snapshot  json.RawMessage `json:"snapshot"`
	CreatedAt int64           `json:"created_at"` // since when it was so
}

// Target is where a chat with a model goes.
type Target struct {
	ID       string // as listed, e.g. "llama3.2:latest" or "prefix.gpt-4o"
	Upstream string // as the upstream knows it: prefix stripped
	Kind     provider.Kind
	// Backends answer for this model: one for OpenAI, any number for Ollama.
	Backends []*provider.Backend
	// Row is the workspace model or overlay, or nil.
	Row *Row
}

// Beside is the id under which another model of the same upstream is listed.
func (t *Target) Beside(upstream string) string {
	if len(t.Backends) > 0 && t.Backends[0].Config.PrefixID != "" {
		return t.Backends[0].Config.PrefixID + "." + upstream
	}
	return upstream
}

// Listing is a ready answer of a list route.
type Listing struct {
	Body []byte // compact JSON; shared, not to be changed
	ETag string // strong, quoted
}

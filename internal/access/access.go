// Package access decides: may this caller read or write that thing. It is the
// only place where roles, owners and grants are weighed, and it denies by
// default. It holds no SQL and does no I/O.
package access

import (
	"context"
	"slices"
	"strings"

	"portico/internal/user"
)

// Method is how a caller proved who they are.
type Method uint8

// The methods. NoMethod is nobody.
const (
	NoMethod Method = iota
	ByToken         // a JWT: a person at a browser or a script that signed in
	ByKey           // an API key
	ByHeader        // a header of a trusted proxy
	BySystem        // WEBUI_AUTH=false, or the server itself
)

// Principal is a caller. It is immutable once made and shared between
// requests; a change of the person makes a new one.
type Principal struct {
	UserID string
	Email  string
	Name   string
	Role   user.Role
	Groups []string // ids, sorted
	Method Method
	KeyID  string // of an API key, else ""
	// Models and Routes narrow an API key: model ids and path prefixes that it
	// may use; empty means all that its owner may.
	Models []string
	Routes []string
	// SetID names the set of models this caller can see: callers with equal
	// SetID see equal lists, which is what lists are cached by.
	SetID string
}

// IsAdmin reports the role.
func (p *Principal) IsAdmin() bool { return p != nil && p.Role == user.Admin }

// Verified reports whether the caller is past "pending".
func (p *Principal) Verified() bool {
	return p != nil && (p.Role == user.Admin || p.Role == user.Member)
}

// Verb is what somebody wants to do with a thing.
type Verb uint8

// The verbs. Read includes use; write includes read.
const (
	Read Verb = iota
	Write
)

// Kind is a kind of thing that can be granted.
type Kind string

// The kinds. Later rooms add theirs here.
const (
	Model     Kind = "model"
	Chat      Kind = "chat"
	Knowledge Kind = "knowledge"
	File      Kind = "file"
	Tool      Kind = "tool"
	Function  Kind = "function"
	Prompt    Kind = "prompt"
	Note      Kind = "note"
)

// Grant gives somebody a right on one thing, in the shape of the API.
type Grant struct {
	ID            string `json:"id"`
	ResourceType  Kind   `json:"resource_type"`
	ResourceID    string `json:"resource_id"`
	PrincipalType string `json:"principal_type"` // "user", "group" or "anyone"
	PrincipalID   string `json:"principal_id"`   // an id; "*" with "user" is every verified user
	Permission    string `json:"permission"`     // "read" or "write"
	CreatedAt     int64  `json:"created_at"`
}

// Policy is what the operator settled for the whole instance.
type Policy struct {
	// AdminSeesAll lets administrators use what was not granted to them
	// (BYPASS_ADMIN_ACCESS_CONTROL, on by default).
	AdminSeesAll bool
	// AllModels lets every verified user use every model
	// (BYPASS_MODEL_ACCESS_CONTROL, off by default).
	AllModels bool
}

// SeesAll reports whether a caller needs no grants: an administrator, unless
// with a key that is made for certain models only.
func (pol Policy) SeesAll(p *Principal) bool {
	return p.IsAdmin() && pol.AdminSeesAll && len(p.Models) == 0
}

// Can is the decision. Owner is the user id of the thing's owner, or "".
func (pol Policy) Can(p *Principal, verb Verb, kind Kind, owner string, id string, grants []Grant) bool {
	if !p.Verified() {
		return false
	}
	if kind == Model && len(p.Models) > 0 && !inScope(p.Models, id) {
		return false
	}
	if pol.SeesAll(p) || kind == Model && p.IsAdmin() && pol.AdminSeesAll {
		return true
	}
	if kind == Model && verb == Read && pol.AllModels {
		return true
	}
	if owner != "" && owner == p.UserID {
		return true
	}
	for i := range grants {
		g := &grants[i]
		if verb == Write && g.Permission != "write" {
			continue
		}
		if g.Permission != "read" && g.Permission != "write" {
			continue
		}
		switch g.PrincipalType {
		case "anyone":
			if verb == Read {
				return true
			}
		case "user":
			if g.PrincipalID == p.UserID || (g.PrincipalID == "*" && verb == Read) {
				return true
			}
		case "group":
			if _, ok := slices.BinarySearch(p.Groups, g.PrincipalID); ok {
				return true
			}
		}
	}
	return false
}

// inScope reports whether a key's scope names the model. A name without a tag
// means ":latest", on both sides, as it does wherever a model is named.
func inScope(models []string, id string) bool {
	bare, ok := strings.CutSuffix(id, ":latest")
	for _, m := range models {
		if m == id || (ok && m == bare) {
			return true
		}
	}
	return false
}

// Store keeps grants. Writes emit an event of topic "grant" whose id is
// "kind/resource id", in the same transaction.
type Store interface {
	GrantsOf(ctx context.Context, kind Kind, id string) ([]Grant, error)
	// AllGrants gives every grant of a kind by resource id.
	AllGrants(ctx context.Context, kind Kind) (map[string][]Grant, error)
	// SetGrants replaces the grants of one thing.
	SetGrants(ctx context.Context, kind Kind, id string, grants []Grant) error
}

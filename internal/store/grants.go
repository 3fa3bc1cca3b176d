package store

import (
	"context"

	"github.com/google/uuid"

	"portico/internal/access"
	"portico/internal/event"
)

const (
	grantColumns = `id, resource_type, resource_id, principal_type, principal_id, permission, created_at`

	insertGrant query = `INSERT INTO grants (` + grantColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO NOTHING`
	grantsUpon query = `SELECT ` + grantColumns + ` FROM grants WHERE resource_type = $1 AND resource_id = $2
		ORDER BY principal_type, principal_id, permission`
	grantsOfKind query = `SELECT ` + grantColumns + ` FROM grants WHERE resource_type = $1
		ORDER BY resource_id, principal_type, principal_id, permission`
)

func scanGrant(s scanner) (g access.Grant, err error) {
	err = s.Scan(&g.ID, &g.ResourceType, &g.ResourceID, &g.PrincipalType, &g.PrincipalID, &g.Permission, &g.CreatedAt)
	return g, err
}

// GrantsOf implements access.Store.
func (db *DB) GrantsOf(ctx context.Context, kind access.Kind, id string) (_ []access.Grant, err error) {
	defer fault(&err, "grant")
	return list(ctx, db, scanGrant, grantsUpon, string(kind), id)
}

// AllGrants implements access.Store.
func (db *DB) AllGrants(ctx context.Context, kind access.Kind) (_ map[string][]access.Grant, err error) {
	defer fault(&err, "grant")
	all, err := list(ctx, db, scanGrant, grantsOfKind, string(kind))
	if err != nil {
		return nil, err
	}
	byID := make(map[string][]access.Grant)
	for len(all) > 0 {
		id, n := all[0].ResourceID, 1
		for n < len(all) && all[n].ResourceID == id {
			n++
		}
		byID[id], all = all[:n:n], all[n:]
	}
	return byID, nil
}

// SetGrants implements access.Store. The kind and id of the thing are the
// arguments' own; a grant without an id or a time is given one, and one that
// is there twice is kept once.
func (db *DB) SetGrants(ctx context.Context, kind access.Kind, id string, grants []access.Grant) (err error) {
	defer fault(&err, "grant")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, deleteGrantsUpon, string(kind), id); err != nil {
			return err
		}
		return t.addGrants(ctx, kind, id, grants)
	})
}

// addGrants inserts the grants of a thing that has none.
func (t *tx) addGrants(ctx context.Context, kind access.Kind, id string, grants []access.Grant) error {
	t.emit(event.Grant, string(kind)+"/"+id)
	type right struct{ principalType, principalID, permission string }
	seen := make(map[right]bool, len(grants))
	for _, g := range grants {
		r := right{g.PrincipalType, g.PrincipalID, g.Permission}
		if seen[r] {
			continue
		}
		seen[r] = true
		g.ResourceType, g.ResourceID = kind, id
		if err := t.addGrant(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) addGrant(ctx context.Context, g access.Grant) error {
	if g.ID == "" {
		g.ID = uuid.NewString()
	}
	if g.CreatedAt == 0 {
		g.CreatedAt = t.db.seconds()
	}
	for {
		n, err := t.exec(ctx, insertGrant, g.ID, string(g.ResourceType), g.ResourceID, g.PrincipalType, g.PrincipalID, g.Permission, g.CreatedAt)
		if err != nil || n > 0 {
			return err
		}
		// Clients that copy a thing send the grants of the original, ids and all.
		g.ID = uuid.NewString()
	}
}

package store_test

import (
	"context"
	"fmt"
	"testing"

	"portico/internal/access"
	"portico/internal/knowledge"
	"portico/internal/store"
	"portico/internal/user"
)

// BenchmarkKnowledgePage reads a page among 100,000 collections, of which the
// member owns 100 and may read 100 more.
func BenchmarkKnowledgePage(b *testing.B) {
	member := &access.Principal{UserID: "u", Role: user.Member, Groups: []string{"g"}}
	ops := map[string]func(db *store.DB) error{}
	for name, f := range map[string]knowledge.Filter{
		"admin":        {All: true, Limit: 30},
		"admin/far":    {All: true, Limit: 30, Offset: 90_000},
		"admin/name":   {All: true, Limit: 30, OrderBy: "name"},
		"admin/search": {All: true, Limit: 30, Query: "name 99"},
		"member":       {Limit: 30},
	} {
		f.Who = member
		ops[name] = func(db *store.DB) error {
			page, _, err := db.KnowledgeList(b.Context(), f)
			if err == nil && len(page) != 30 {
				err = fmt.Errorf("a page of %d", len(page))
			}
			return err
		}
	}
	onBoth(b, func(db *store.DB) { addCollections(b, db) }, ops)
}

func addCollections(b *testing.B, db *store.DB) {
	b.Helper()
	const all = 100_000
	err := db.Tx(b.Context(), func(ctx context.Context) error {
		for i := range all {
			k := &knowledge.Knowledge{ID: fmt.Sprintf("k%06d", i), UserID: "x", Kind: knowledge.Collection, Name: fmt.Sprintf("Name %d", i), CreatedAt: int64(i), UpdatedAt: int64(i)}
			var grants []access.Grant
			switch i % 1000 {
			case 0:
				k.UserID = "u"
			case 1:
				grants = []access.Grant{{PrincipalType: "group", PrincipalID: "g", Permission: "read"}}
			}
			if err := db.CreateKnowledge(ctx, k, grants); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

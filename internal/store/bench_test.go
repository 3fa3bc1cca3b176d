package store_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"portico/internal/access"
	"portico/internal/auth"
	"portico/internal/store"
	"portico/internal/store/storetest"
	"portico/internal/user"
)

func BenchmarkOpenEmpty(b *testing.B) {
	b.ReportAllocs()
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		db, err := store.Open(b.Context(), fileURL(filepath.Join(dir, fmt.Sprint(i), "portico.db")), store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// onBoth runs a benchmark on both engines; fill prepares the database.
func onBoth(b *testing.B, fill func(db *store.DB), ops map[string]func(db *store.DB) error) {
	for _, i := range []int{0, 2} {
		b.Run(engines[i].name, func(b *testing.B) {
			db := open(b, engines[i].url(b), store.Options{})
			fill(db)
			if db.Engine() == "postgres" { // as its autovacuum would do in time
				// Rows whose commit is not on disk yet cannot be marked as seen by all,
				// and an index alone would not do for them.
				for _, q := range []string{"CHECKPOINT", "VACUUM ANALYZE"} {
					if _, err := db.Writer().Exec(q); err != nil {
						b.Fatal(err)
					}
				}
			}
			for name, op := range ops {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if err := op(db); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}

// BenchmarkSmall are the statements behind a cache miss.
func BenchmarkSmall(b *testing.B) {
	hash := [32]byte{1, 2, 3}
	onBoth(b, func(db *store.DB) {
		storetest.AddPeople(b, db, 1000)
		if err := db.CreateKey(b.Context(), &auth.Key{ID: "k", UserID: "p000000", Hash: hash}, false); err != nil {
			b.Fatal(err)
		}
	}, map[string]func(db *store.DB) error{
		"UserByID": func(db *store.DB) error {
			_, err := db.UserByID(b.Context(), "p000500")
			return err
		},
		"KeyByHash": func(db *store.DB) error {
			_, err := db.KeyByHash(b.Context(), hash)
			return err
		},
		"SetStamp": func(db *store.DB) error { return db.SetStamp(b.Context(), "p000000", "s") },
	})
}

func BenchmarkAllGrants(b *testing.B) {
	onBoth(b, func(db *store.DB) { storetest.AddGrants(b, db, 10_000) }, map[string]func(db *store.DB) error{
		"10000": func(db *store.DB) error {
			_, err := db.AllGrants(b.Context(), access.Model)
			return err
		},
	})
}

// BenchmarkUsersPage reads pages of 30 among 100,000 people, with the total.
func BenchmarkUsersPage(b *testing.B) {
	ops := make(map[string]func(db *store.DB) error)
	for _, f := range []user.Filter{
		{},
		{Offset: 50_000},
		{OrderBy: "name", Offset: 50_000},
		{OrderBy: "name", Offset: 99_000},
		{OrderBy: "email", Descending: true},
		{OrderBy: "role"},
		{OrderBy: "last_active_at", Descending: true},
		{Query: "p0999"},
	} {
		ops[fmt.Sprintf("%s+%d%s", f.OrderBy, f.Offset, f.Query)] = func(db *store.DB) error {
			_, _, err := db.Users(b.Context(), f)
			return err
		}
	}
	onBoth(b, func(db *store.DB) { storetest.AddPeople(b, db, 100_000) }, ops)
}

package store_test

import (
	"testing"

	"portico/internal/retrieval"
	"portico/internal/retrieval/index"
	"portico/internal/retrieval/vector/vectortest"
	"portico/internal/store"
	"portico/internal/store/storetest"
)

func neighbours(t *testing.T, db *store.DB) *store.Neighbours {
	t.Helper()
	n, err := db.Neighbours(t.Context())
	if err != nil || n == nil {
		t.Fatalf("no pgvector to test with: %v", err)
	}
	return n
}

// newSet makes a set with n chunks whose vectors are visible.
func newSet(t *testing.T, db *store.DB, fileID, profile, space string, n int) (set, seq int64) {
	t.Helper()
	s := &retrieval.Set{FileID: fileID, Profile: profile, Space: space}
	if err := db.ReplaceSet(t.Context(), s, make([]retrieval.Row, n)); err != nil {
		t.Fatal(err)
	}
	if n > 0 {
		if err := db.AddVectors(t.Context(), s.ID, 0, 1, make([]float32, n)); err != nil {
			t.Fatal(err)
		}
	}
	seq, err := db.FinishVectors(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	return s.ID, seq
}

func TestNeighbours(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]int{"compared": 20_000, "walked": 500} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vectortest.Run(t, func(t *testing.T) *vectortest.Fixture {
				db := open(t, storetest.Postgres(t), store.Options{})
				files := storetest.AddFiles(t, db, "u", 100)
				n := neighbours(t, db)
				n.WalkFrom(from)
				return &vectortest.Fixture{Vectors: n, Least: 0.98, NewSet: func(t *testing.T, space string, chunks int) (int64, int64) {
					file := files[0]
					files = files[1:]
					return newSet(t, db, file, "p", space, chunks)
				}}
			})
		})
	}
}

// TestNeighboursFollow: what is deleted is gone from the index too, and a
// start knows what is missing.
func TestNeighboursFollow(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := open(t, storetest.Postgres(t), store.Options{})
	files := storetest.AddFiles(t, db, "u", 4)
	n := neighbours(t, db)
	if n.Seq() != 0 {
		t.Errorf("an empty index begins at %d", n.Seq())
	}
	newSet(t, db, files[3], "p", "s", 0) // has nothing to add
	a, seqA := newSet(t, db, files[0], "p", "s", 1)
	b, seqB := newSet(t, db, files[1], "p", "s", 1)
	c, seqC := newSet(t, db, files[2], "p", "s", 1)
	for set, seq := range map[int64]int64{a: seqA, c: seqC} {
		if err := n.Add(ctx, set, seq, "s", 2, []float32{1, 0}); err != nil {
			t.Fatal(err)
		}
	}
	if n.Seq() != seqC {
		t.Errorf("at %d, not %d", n.Seq(), seqC)
	}
	if again := neighbours(t, db); again.Seq() != seqB-1 {
		t.Errorf("begins at %d: %d is missing", again.Seq(), seqB)
	}
	if err := db.DeleteSets(ctx, []int64{a, b}); err != nil {
		t.Fatal(err)
	}
	hits, err := n.Search(ctx, "s", []float32{1, 0}, index.Scope{a, b, c}, 5)
	if err != nil || len(hits) != 1 || hits[0].Set != c {
		t.Errorf("got %v, %v", hits, err)
	}
	// Adding what is gone is no error, and brings nothing back.
	if err := n.Add(ctx, b, seqB, "s", 2, []float32{1, 0}); err != nil {
		t.Error(err)
	}
	if again := neighbours(t, db); again.Seq() != seqC {
		t.Errorf("begins at %d, not %d", again.Seq(), seqC)
	}
	lite := open(t, "sqlite://:memory:", store.Options{})
	if n, err := lite.Neighbours(ctx); n != nil || err != nil {
		t.Errorf("SQLite has %v, %v", n, err)
	}
}

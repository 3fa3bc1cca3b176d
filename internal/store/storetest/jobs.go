package storetest

import (
	"fmt"
	"sync"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/retrieval"
	"portico/internal/store"
)

func addJob(t *testing.T, db *store.DB, userID, fileID string) {
	t.Helper()
	must(t, db.AddJob(t.Context(), &retrieval.Job{Kind: retrieval.ReadFile, FileID: fileID, UserID: userID}, 5))
}

func testJobs(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	files := AddFiles(t, db, "u", 2)
	claim := func(owner string, now int64) *retrieval.Job {
		t.Helper()
		j, err := db.ClaimJob(ctx, retrieval.ReadFile, owner, now, now+10)
		must(t, err)
		return j
	}
	if j := claim("a", 1); j != nil {
		t.Errorf("got %+v", j)
	}
	addJob(t, db, "u", files[0])
	addJob(t, db, "u", files[0])
	n, err := db.CountJobs(ctx)
	must(t, err)
	equal(t, n, 1)
	must(t, db.AddJob(ctx, &retrieval.Job{Kind: retrieval.FillSet, FileID: files[0], Profile: "p", UserID: "u"}, 5))

	first := claim("a", 100)
	want := &retrieval.Job{ID: first.ID, Kind: retrieval.ReadFile, FileID: files[0], UserID: "u", Attempts: 1}
	equal(t, first, want)
	if j := claim("b", 105); j != nil {
		t.Errorf("taken twice: %+v", j)
	}
	must(t, db.RenewJobs(ctx, "a", 120))
	if j := claim("b", 115); j != nil {
		t.Errorf("taken before its lease ended: %+v", j)
	}
	want.Attempts = 2
	equal(t, claim("b", 121), want)
	// Who lost it can neither end it nor give it back.
	fails(t, db.EndJob(ctx, first.ID, "a"), errdefs.Conflict)
	fails(t, db.RetryJob(ctx, first.ID, "a", 0), errdefs.Conflict)
	must(t, db.RetryJob(ctx, first.ID, "b", 200))
	if j := claim("b", 199); j != nil {
		t.Errorf("taken before its time: %+v", j)
	}
	want.Attempts = 3
	equal(t, claim("c", 200), want)
	must(t, db.EndJob(ctx, first.ID, "c"))
	fails(t, db.EndJob(ctx, first.ID, "c"), errdefs.Conflict)
	n, err = db.CountJobs(ctx)
	must(t, err)
	equal(t, n, 1) // the other kind
	// Asked for again, it is tried at once, as if new.
	addJob(t, db, "u", files[1])
	second := claim("a", 300)
	must(t, db.RetryJob(ctx, second.ID, "a", 900))
	addJob(t, db, "u", files[1])
	equal(t, claim("a", 301), second)
}

// testFairJobs: one file of a user does not wait behind a thousand of another.
func testFairJobs(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	for _, u := range []struct {
		id string
		n  int
	}{{"many", 30}, {"few", 3}, {"one", 1}} {
		for _, file := range AddFiles(t, db, u.id, u.n) {
			addJob(t, db, u.id, file)
		}
	}
	// One worker: they take turns.
	var order []string
	for range 8 {
		j, err := db.ClaimJob(ctx, retrieval.ReadFile, "w", 10, 20)
		must(t, err)
		order = append(order, j.UserID)
		must(t, db.EndJob(ctx, j.ID, "w"))
	}
	equal(t, order, []string{"few", "many", "one", "few", "many", "few", "many", "many"})

	// Several: who has nothing at work is first.
	for _, file := range AddFiles(t, db, "late", 1) {
		for range 3 {
			_, err := db.ClaimJob(ctx, retrieval.ReadFile, "w", 10, 20)
			must(t, err)
		}
		addJob(t, db, "late", file)
	}
	j, err := db.ClaimJob(ctx, retrieval.ReadFile, "w", 10, 20)
	must(t, err)
	equal(t, j.UserID, "late")
}

// testClaimRace: no work is done by two.
func testClaimRace(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	const n = 40
	for _, file := range AddFiles(t, db, "u", n) {
		addJob(t, db, "u", file)
	}
	var mu sync.Mutex
	taken := make(map[int64]int)
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for {
				j, err := db.ClaimJob(ctx, retrieval.ReadFile, fmt.Sprint("w", w), 10, 20)
				if err != nil {
					t.Error(err)
				}
				if j == nil {
					return
				}
				mu.Lock()
				taken[j.ID]++
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	for id, times := range taken {
		if times > 1 {
			t.Errorf("job %d was taken %d times", id, times)
		}
	}
	equal(t, len(taken), n)
}

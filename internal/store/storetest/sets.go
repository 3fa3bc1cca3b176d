package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval"
	"portico/internal/retrieval/chunk"
	"portico/internal/retrieval/index"
	"portico/internal/store"
)

// AddFiles inserts n files of a user, without any work, as user-f0, user-f1, …
func AddFiles(t testing.TB, db *store.DB, userID string, n int) []string {
	t.Helper()
	ids := make([]string, n)
	err := db.Tx(t.Context(), func(ctx context.Context) error {
		for i := range ids {
			ids[i] = fmt.Sprintf("%s-f%d", userID, i)
			f := &file.File{ID: ids[i], UserID: userID, Kind: file.Upload, Filename: ids[i], ContentType: "text/plain", Blob: "b"}
			if err := db.CreateFile(ctx, f, false); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func rows(n int) []retrieval.Row {
	all := make([]retrieval.Row, n)
	for i := range all {
		all[i] = retrieval.Row{Text: fmt.Sprintf("text %d é汉", i), Context: "title", First: 10 * i, Last: 10*i + 9, Page: fmt.Sprint(i / 3), LastPage: fmt.Sprint(i/3 + 1)}
	}
	return all
}

func addSet(t testing.TB, db *store.DB, fileID, profile string, n int) *retrieval.Set {
	t.Helper()
	set := &retrieval.Set{FileID: fileID, Profile: profile, Space: "space"}
	if err := db.ReplaceSet(t.Context(), set, rows(n)); err != nil {
		t.Fatal(err)
	}
	return set
}

// forget drops the events so far.
func (f *Fixture) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = nil
}

func setEvent(id int64) event.Event { return event.Event{Topic: event.Set, ID: fmt.Sprint(id)} }

func testProfiles(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	p := &retrieval.Profile{ID: "p", Chunk: chunk.Settings{Size: 1000, Overlap: 100, Headings: true}, Space: "s", Engine: "local", Model: "m"}
	must(t, db.SaveProfile(ctx, p, 1))
	must(t, db.SaveProfile(ctx, p, 2))
	got, err := db.ProfileByID(ctx, "p")
	must(t, err)
	equal(t, got, p)
	_, err = db.ProfileByID(ctx, "q")
	fails(t, err, errdefs.NotFound)

	id, err := db.InstanceID(ctx)
	must(t, err)
	again, err := db.InstanceID(ctx)
	must(t, err)
	if id == "" || id != again {
		t.Errorf("the instance is %q, then %q", id, again)
	}
}

func testSets(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	files := AddFiles(t, db, "u", 3)
	f.forget()
	const n = 2500 // more than a batch
	first := addSet(t, db, files[0], "p", n)
	f.told(t, setEvent(first.ID))
	if first.ID == 0 || first.TextSeq == 0 || first.VectorSeq != 0 || first.Chunks != n {
		t.Errorf("got %+v", first)
	}
	got, err := db.SetOf(ctx, files[0], "p")
	must(t, err)
	equal(t, got, first)
	_, err = db.SetOf(ctx, files[0], "q")
	fails(t, err, errdefs.NotFound)

	page, err := db.Chunks(ctx, first.ID, 1020, 10)
	must(t, err)
	want := rows(n)[1020:1030]
	for i := range want {
		want[i].Set, want[i].N = first.ID, 1020+i
	}
	equal(t, page, want)
	at, err := db.ChunksAt(ctx, []index.Hit{{Set: first.ID, N: 1025}, {Set: 999, N: 1}, {Set: first.ID, N: 1021}, {Set: first.ID, N: n}})
	must(t, err)
	equal(t, at, []retrieval.Row{want[5], want[1]})

	// Another time, and the old one is gone with all its rows.
	second := addSet(t, db, files[0], "p", 3)
	f.told(t, setEvent(first.ID), setEvent(second.ID))
	page, err = db.Chunks(ctx, first.ID, 0, 10)
	must(t, err)
	equal(t, len(page), 0)
	if second.ID <= first.ID || second.TextSeq <= first.TextSeq {
		t.Errorf("%+v after %+v", second, first)
	}
	other := addSet(t, db, files[1], "p", 2)
	beside := addSet(t, db, files[0], "q", 1)
	empty := addSet(t, db, files[2], "p", 0)
	scope, err := db.ScopeOfFiles(ctx, []string{files[1], "absent", files[0]}, "p")
	must(t, err)
	equal(t, scope, index.Scope{second.ID, other.ID})
	live, err := db.LiveSets(ctx, []int64{first.ID, second.ID, 12345, beside.ID})
	must(t, err)
	equal(t, live, index.Scope{second.ID, beside.ID})
	after, err := db.TextAfter(ctx, second.TextSeq, 2)
	must(t, err)
	equal(t, after, []retrieval.Set{*other, *beside})
	byFile, err := db.FilesOfSets(ctx, []int64{second.ID, other.ID, first.ID})
	must(t, err)
	if len(byFile) != 2 || byFile[second.ID].ID != files[0] || byFile[other.ID].ID != files[1] {
		t.Errorf("got %v", byFile)
	}

	must(t, db.FailSet(ctx, other.ID, "broken"))
	got, err = db.SetOf(ctx, files[1], "p")
	must(t, err)
	equal(t, got.Error, "broken")
	fails(t, db.FailSet(ctx, first.ID, "broken"), errdefs.NotFound)

	must(t, db.SaveProfile(ctx, &retrieval.Profile{ID: "p"}, 1))
	must(t, db.SaveProfile(ctx, &retrieval.Profile{ID: "q"}, 1))
	unused, err := db.UnusedSets(ctx, []string{"p", "r"}, 10)
	must(t, err)
	equal(t, unused, []int64{beside.ID})
	unused, err = db.UnusedSets(ctx, nil, 2)
	must(t, err)
	equal(t, len(unused), 2)
	f.told(t, setEvent(other.ID), setEvent(other.ID), setEvent(beside.ID), setEvent(empty.ID))
	must(t, db.DeleteSets(ctx, []int64{beside.ID, first.ID, empty.ID}))
	f.told(t, setEvent(beside.ID), setEvent(empty.ID))
	_, err = db.SetOf(ctx, files[0], "q")
	fails(t, err, errdefs.NotFound)
}

// testSetsOfNothing: what is written for a file that is gone fails, whole.
func testSetsOfNothing(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	fails(t, db.ReplaceSet(ctx, &retrieval.Set{FileID: "gone", Profile: "p"}, rows(3)), errdefs.NotFound)
	fails(t, db.AddVectors(ctx, 7, 0, 2, []float32{1, 0}), errdefs.NotFound)
	_, err := db.FinishVectors(ctx, 7)
	fails(t, err, errdefs.NotFound)
	fails(t, db.AddJob(ctx, &retrieval.Job{Kind: retrieval.ReadFile, FileID: "gone"}, 1), errdefs.NotFound)
	file := AddFiles(t, db, "u", 1)[0]
	f.forget()
	bad := rows(3)
	bad[2].Text = "nul\x00"
	fails(t, db.ReplaceSet(ctx, &retrieval.Set{FileID: file, Profile: "p"}, bad), errdefs.Invalid)
	_, err = db.SetOf(ctx, file, "p")
	fails(t, err, errdefs.NotFound)
	f.told(t)
}

func testVectors(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	files := AddFiles(t, db, "u", 2)
	const n, dims = 1500, 3
	set := addSet(t, db, files[0], "p", n)
	all := make([]float32, n*dims)
	for i := range all {
		all[i] = float32(math.Sin(float64(i)))
	}
	must(t, db.AddVectors(ctx, set.ID, 0, dims, all[:1024*dims]))
	_, err := db.FinishVectors(ctx, set.ID) // the second part is missing
	fails(t, err, errdefs.Internal)
	must(t, db.AddVectors(ctx, set.ID, 0, dims, all[:1024*dims])) // again
	must(t, db.AddVectors(ctx, set.ID, 1024, dims, all[1024*dims:]))
	f.forget()
	none, err := db.VectorsAfter(ctx, 0, 10)
	must(t, err)
	equal(t, len(none), 0)
	seq, err := db.FinishVectors(ctx, set.ID)
	must(t, err)
	f.told(t, setEvent(set.ID))
	if seq <= set.TextSeq {
		t.Errorf("seq %d after %d", seq, set.TextSeq)
	}
	again, err := db.FinishVectors(ctx, set.ID)
	must(t, err)
	equal(t, again, seq)
	must(t, db.AddVectors(ctx, set.ID, 0, dims, make([]float32, dims))) // too late to change anything
	got, err := db.VectorsAfter(ctx, 0, 10)
	must(t, err)
	set.VectorSeq = seq
	equal(t, got, []retrieval.Set{*set})

	var read []float32
	must(t, db.Vectors(ctx, set.ID, dims, func(first int, vectors []float32) error {
		equal(t, first*dims, len(read))
		read = append(read, vectors...)
		return nil
	}))
	if len(read) != len(all) {
		t.Fatalf("%d of %d values", len(read), len(all))
	}
	for i := range all {
		if math.Abs(float64(read[i]-all[i])) > 0.0005*max(0.1, math.Abs(float64(all[i]))) {
			t.Fatalf("value %d: %v for %v", i, read[i], all[i])
		}
	}
	broken := errors.New("enough")
	if err := db.Vectors(ctx, set.ID, dims, func(int, []float32) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		fails(t, db.AddVectors(ctx, set.ID, 0, 1, []float32{bad}), errdefs.Unprocessable)
	}
	fails(t, db.AddVectors(ctx, set.ID, 1, 2, []float32{1, 2}), errdefs.Internal)
	fails(t, db.AddVectors(ctx, set.ID, 0, 2, []float32{1, 2, 3}), errdefs.Internal)
}

// testSeqOrder: whoever reads what came after a number misses nothing, however
// many write.
func testSeqOrder(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	files := AddFiles(t, db, "u", 40)
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for _, file := range files[10*w : 10*w+10] {
				set := &retrieval.Set{FileID: file, Profile: "p", Space: "s"}
				if err := db.ReplaceSet(ctx, set, rows(2)); err != nil {
					t.Error(err)
					return
				}
				if err := db.AddVectors(ctx, set.ID, 0, 1, []float32{1, 1}); err != nil {
					t.Error(err)
				}
				if _, err := db.FinishVectors(ctx, set.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	var text, vectors []string
	textSeq, vectorSeq := int64(0), int64(0)
	for last := false; !last; {
		select {
		case <-done:
			last = true
		default:
		}
		sets, err := db.TextAfter(ctx, textSeq, 100)
		must(t, err)
		for _, s := range sets {
			text, textSeq = append(text, s.FileID), s.TextSeq
		}
		sets, err = db.VectorsAfter(ctx, vectorSeq, 100)
		must(t, err)
		for _, s := range sets {
			vectors, vectorSeq = append(vectors, s.FileID), s.VectorSeq
		}
	}
	for _, got := range [][]string{text, vectors} {
		slices.Sort(got)
		if len(slices.Compact(got)) != len(files) {
			t.Errorf("a follower saw %d of %d sets", len(got), len(files))
		}
	}
}

// testScopeOfKnowledge gives the sets of a large collection in one statement.
func testScopeOfKnowledge(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	files := AddFiles(t, db, "u", 300)
	must(t, db.CreateKnowledge(ctx, &knowledge.Knowledge{ID: "k", UserID: "u", Kind: knowledge.Collection, Name: "k"}, nil))
	for _, id := range files[:200] {
		_, _, err := db.LinkFile(ctx, &knowledge.Entry{KnowledgeID: "k", File: &file.File{ID: id}, UserID: "u", Twice: true})
		must(t, err)
	}
	var want index.Scope
	for i, file := range files {
		set := addSet(t, db, file, "p", 1)
		if i < 200 {
			want = append(want, set.ID)
		}
	}
	addSet(t, db, files[0], "q", 1)
	before := db.Statements()
	got, err := db.ScopeOfKnowledge(ctx, "k", "p")
	must(t, err)
	equal(t, db.Statements()-before, 1)
	equal(t, got, want)
	got, err = db.ScopeOfKnowledge(ctx, "other", "p")
	must(t, err)
	equal(t, len(got), 0)
}

// testDeleteInWork deletes files while they are cut, embedded and worked on:
// nothing of them is left, whoever was first.
func testDeleteInWork(t *testing.T, f *Fixture) {
	db, ctx := f.DB, t.Context()
	files := AddFiles(t, db, "u", 60)
	for _, id := range files {
		addJob(t, db, "u", id)
	}
	var both sync.WaitGroup
	gone := func(err error) {
		var known *errdefs.Error
		if err != nil && (!errors.As(err, &known) || known.Kind != errdefs.NotFound && known.Kind != errdefs.Conflict) {
			t.Errorf("got %v", err)
		}
	}
	both.Go(func() {
		for _, id := range files {
			job, err := db.ClaimJob(ctx, retrieval.ReadFile, "w", 10, 20)
			gone(err)
			set := &retrieval.Set{FileID: id, Profile: "p", Space: "s"}
			gone(db.ReplaceSet(ctx, set, rows(3)))
			gone(db.AddVectors(ctx, set.ID, 0, 1, []float32{1, 1, 1}))
			_, err = db.FinishVectors(ctx, set.ID)
			gone(err)
			if job != nil {
				gone(db.EndJob(ctx, job.ID, "w"))
			}
		}
	})
	both.Go(func() {
		for _, id := range files {
			_, err := db.DeleteFile(ctx, id)
			gone(err)
		}
	})
	both.Wait()
	for _, after := range []func(context.Context, int64, int) ([]retrieval.Set, error){db.TextAfter, db.VectorsAfter} {
		sets, err := after(ctx, 0, 100)
		must(t, err)
		equal(t, len(sets), 0)
	}
	n, err := db.CountJobs(ctx)
	must(t, err)
	equal(t, n, 0)
	for id := range int64(2 * len(files)) {
		page, err := db.Chunks(ctx, id, 0, 10)
		must(t, err)
		equal(t, len(page), 0)
		must(t, db.Vectors(ctx, id, 1, func(int, []float32) error { t.Error("vectors are left"); return nil }))
	}
}

package storetest

import (
	"slices"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval"
)

// testIngest is about what the workers of retrieval ask beyond single sets and jobs.
func testIngest(t *testing.T, f *Fixture) {
	ctx, db := t.Context(), f.DB
	ids := AddFiles(t, db, "u", 3)
	a, err := db.FileByID(ctx, ids[0])
	must(t, err)
	o := file.Outcome{Document: "d", TextHash: "t", Warnings: []string{"w"}}
	must(t, db.ReadAgain(ctx, a, o, 7))
	if a, err = db.FileByID(ctx, a.ID); err != nil || a.Status != file.Pending || a.Document != "d" || a.TextHash != "t" || !slices.Equal(a.Warnings, o.Warnings) {
		t.Errorf("read again: %+v %v", a, err)
	}
	job, err := db.ClaimJob(ctx, retrieval.ReadFile, "w", 10, 100)
	if err != nil || job == nil || job.FileID != a.ID {
		t.Fatalf("no job of reading: %+v %v", job, err)
	}
	must(t, db.ReleaseJobs(ctx)) // nothing, where other servers may be
	// Whoever has it in hand cannot end what was asked for meanwhile.
	must(t, db.RestartJob(ctx, &retrieval.Job{Kind: retrieval.ReadFile, FileID: a.ID, UserID: "u"}, 11))
	if err := db.EndJob(ctx, job.ID, "w"); !errdefs.Is(err, errdefs.Conflict) {
		t.Errorf("a job that was restarted is ended: %v", err)
	}
	if n, err := db.CountJobs(ctx); err != nil || n != 1 {
		t.Errorf("%d jobs, %v", n, err)
	}
	if err := db.ReadAgain(ctx, &file.File{ID: "none"}, o, 7); !errdefs.Is(err, errdefs.NotFound) {
		t.Errorf("an absent file is read again: %v", err)
	}

	if got, err := db.ReadBefore(ctx, "b", ids[1]); err != nil || len(got) != 1 || got[0].ID != a.ID {
		t.Errorf("read before: %v %v", got, err)
	}
	must(t, db.SetOutcome(ctx, ids[1], file.Outcome{Status: file.Processing}, 8))
	if got, err := db.Stuck(ctx, 10); err != nil || len(got) != 1 || got[0].ID != ids[1] {
		t.Errorf("stuck: %v %v", got, err)
	}

	f.lacking(t, a)
	f.instanceProfiles(t)
}

// lacking is about who lacks a set, and who has the same text.
func (f *Fixture) lacking(t *testing.T, a *file.File) {
	ctx, db := t.Context(), f.DB
	count := func(vectors bool, in string, want int) {
		t.Helper()
		if n, err := db.CountLacking(ctx, "p", in, vectors); err != nil || n != want {
			t.Errorf("%d files lack a set, want %d: %v", n, want, err)
		}
	}
	count(false, "", 1)
	if got, err := db.Lacking(ctx, "p", "", false, 10); err != nil || len(got) != 0 {
		t.Errorf("one with a job is given work: %v %v", got, err)
	}
	job, err := db.ClaimJob(ctx, retrieval.ReadFile, "w", 20, 100)
	must(t, err)
	must(t, db.EndJob(ctx, job.ID, "w"))
	if got, err := db.Lacking(ctx, "p", "", false, 10); err != nil || len(got) != 1 || got[0].ID != a.ID {
		t.Errorf("lacking: %v %v", got, err)
	}
	must(t, db.SetOutcome(ctx, a.ID, file.Outcome{Status: file.Failed, Error: "Too long. [chunk:too_many_chunks]"}, 9))
	count(false, "", 0) // to cut it again would be in vain
	must(t, db.SetOutcome(ctx, a.ID, file.Outcome{Status: file.Completed}, 9))
	count(false, "", 1)
	set := addSet(t, db, a.ID, "p", 2)
	count(false, "", 0)
	count(true, "", 1)
	if got, err := db.SetLike(ctx, "t", "p", 0); err != nil || got != nil {
		t.Errorf("a set without vectors is like another: %v %v", got, err)
	}
	must(t, db.AddVectors(ctx, set.ID, 0, 1, []float32{1, 1}))
	_, err = db.FinishVectors(ctx, set.ID)
	must(t, err)
	count(true, "", 0)
	if got, err := db.SetLike(ctx, "t", "p", 0); err != nil || got == nil || got.ID != set.ID {
		t.Errorf("like: %v %v", got, err)
	}
	if got, err := db.SetLike(ctx, "t", "p", set.ID); err != nil || got != nil {
		t.Errorf("like itself: %v %v", got, err)
	}

	must(t, db.CreateKnowledge(ctx, &knowledge.Knowledge{ID: "kp", UserID: "u", Kind: knowledge.Collection, Name: "n"}, nil))
	must(t, db.SetProfiles(ctx, "kp", "p", "q", 1))
	_, _, err = db.LinkFile(ctx, &knowledge.Entry{File: a, KnowledgeID: "kp", UserID: "u"})
	must(t, err)
	count(false, "kp", 0)
	for what, get := range map[string]func() ([]string, error){
		"of the file": func() ([]string, error) { return db.ProfilesOfFile(ctx, a.ID) },
		"in use":      func() ([]string, error) { return db.ProfilesInUse(ctx) },
	} {
		if got, err := get(); err != nil || !slices.Equal(got, []string{"p", "q"}) {
			t.Errorf("profiles %s: %v %v", what, got, err)
		}
	}
	if got, err := db.Building(ctx); err != nil || len(got) != 1 || got[0].ID != "kp" || got[0].Next != "q" {
		t.Errorf("building: %v %v", got, err)
	}
}

func (f *Fixture) instanceProfiles(t *testing.T) {
	ctx, db := t.Context(), f.DB
	if now, next, err := db.InstanceProfiles(ctx); err != nil || now != "" || next != "" {
		t.Errorf("%q %q %v", now, next, err)
	}
	f.forget()
	must(t, db.SetInstanceProfiles(ctx, "p", "q"))
	f.told(t, event.Event{Topic: event.Knowledge})
	if now, next, err := db.InstanceProfiles(ctx); err != nil || now != "p" || next != "q" {
		t.Errorf("%q %q %v", now, next, err)
	}
}

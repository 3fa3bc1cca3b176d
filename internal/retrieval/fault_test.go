package retrieval_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/retrieval"
	"portico/internal/retrieval/extract"
	"portico/internal/retrieval/retrievaltest"
	"portico/internal/setting"
)

// A crash of the extractor is tried once more, and then it is the file's fault.
func TestExtractorCrashes(t *testing.T) {
	t.Parallel()
	for crashes, want := range map[int64]file.Status{1: file.Completed, 2: file.Failed} {
		t.Run(fmt.Sprint(crashes), func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int64
			s := newStand(t, "sqlite://:memory:", func(s *stand, _ *retrieval.Config) {
				s.extract.Fault = func(context.Context, extract.Input) error {
					if tries.Add(1) <= crashes {
						return fmt.Errorf("%w: signal", extract.ErrCrashed)
					}
					return nil
				}
			})
			f := s.ended(s.upload(s.ann, "a.pdf", "words").ID)
			if f.Status != want || (f.Error != "") != (want == file.Failed) {
				t.Errorf("%s %q", f.Status, f.Error)
			}
			if want == file.Failed && (tries.Load() != 2 || !strings.Contains(f.Error, "[extract:crash]")) {
				t.Errorf("%d tries: %s", tries.Load(), f.Error)
			}
		})
	}
}

// What is wrong with a file is said with its stage, and tried once.
func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	s := newStand(t, "sqlite://:memory:", func(s *stand, _ *retrieval.Config) {
		s.extract.Fault = func(_ context.Context, in extract.Input) error {
			if in.Name == "locked.pdf" {
				return &extract.Error{Code: "encrypted", Detail: "This file asks for a password."}
			}
			return nil
		}
	})
	f := s.ended(s.upload(s.ann, "locked.pdf", "words").ID)
	if f.Status != file.Failed || f.Error != "This file asks for a password. [extract:encrypted]" || s.extract.Calls.Load() != 1 {
		t.Errorf("%s %q after %d", f.Status, f.Error, s.extract.Calls.Load())
	}
	if f = s.completed(s.ann, "next.txt", "other words"); f.Status != file.Completed {
		t.Error("the next file does not go on")
	}
}

// Whatever an embedder does wrong, no vector is visible unless all are, and
// the text is found all the same.
func TestEmbedderFails(t *testing.T) {
	t.Parallel()
	wrong := func(v ...float32) func(context.Context, []string) ([]float32, error) {
		return func(_ context.Context, texts []string) ([]float32, error) {
			out := make([]float32, 0, len(texts)*retrievaltest.Dims)
			for range texts {
				out = append(out, make([]float32, retrievaltest.Dims-1)...)
				out = append(out, v...)
			}
			return out, nil
		}
	}
	for name, fault := range map[string]func(context.Context, []string) ([]float32, error){
		"status 500":       func(context.Context, []string) ([]float32, error) { return nil, errors.New("status 500") },
		"wrong dimensions": wrong(1, 2),
		"no number":        wrong(float32(math.NaN())),
		"infinite":         wrong(float32(math.Inf(1))),
		"one too few": func(_ context.Context, texts []string) ([]float32, error) {
			return make([]float32, max(1, (len(texts)-1)*retrievaltest.Dims)), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var on atomic.Bool
			on.Store(true)
			s := newStand(t, "sqlite://:memory:", func(s *stand, _ *retrieval.Config) {
				s.embedder.Fault = func(ctx context.Context, texts []string) ([]float32, error) {
					if on.Load() {
						return fault(ctx, texts)
					}
					return nil, nil
				}
			})
			f := s.ended(s.upload(s.ann, "a.txt", strings.Repeat("The quick brown fox. ", 500)).ID)
			if f.Status != file.Failed || !strings.Contains(f.Error, "[embed:") {
				t.Fatalf("%s %q", f.Status, f.Error)
			}
			if got := s.found(s.ann, "fox", "file-"+f.ID); len(got) == 0 {
				t.Error("the text is not found")
			}
			if s.vectors.Seq() != 0 {
				t.Error("vectors are visible")
			}
			on.Store(false)
			if _, err := s.ProcessFile(context.Background(), s.ann, f.ID, "", ""); err != nil {
				t.Fatal(err)
			}
			if s.vectors.Seq() == 0 {
				t.Error("nothing was embedded when the embedder worked again")
			}
		})
	}
}

// A question that cannot be embedded is searched by its words, and that is said.
func TestQuestionWithoutEmbedder(t *testing.T) {
	t.Parallel()
	s := newStand(t, "sqlite://:memory:", nil)
	f := s.completed(s.ann, "a.txt", "About foxes.")
	s.embedder.FaultQuestion = func() error { return errors.New("away") }
	found, err := s.Find(context.Background(), s.ann, []string{"file-" + f.ID}, retrieval.Question{Text: "foxes"})
	if err != nil || len(found.Passages) != 1 || !strings.Contains(strings.Join(found.Warnings, " "), "words alone") {
		t.Errorf("%+v %v", found, err)
	}
}

// A server that stops at any stage leaves work that the next one ends.
func TestStopAndGoOn(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"extract", "embed"} {
		t.Run(stage, func(t *testing.T) {
			engines(t, func(t *testing.T, url string) {
				reached := make(chan struct{}, 64)
				hang := func(ctx context.Context) error {
					reached <- struct{}{}
					<-ctx.Done()
					return ctx.Err()
				}
				s := newStand(t, url, func(s *stand, _ *retrieval.Config) {
					if stage == "extract" {
						s.extract.Fault = func(ctx context.Context, _ extract.Input) error { return hang(ctx) }
					} else {
						s.embedder.Fault = func(ctx context.Context, _ []string) ([]float32, error) { return nil, hang(ctx) }
					}
				})
				f := s.upload(s.ann, "big.pdf", strings.Repeat("Ships in the night. ", 20_000))
				<-reached
				s.stop()
				s.extract.Fault, s.embedder.Fault = nil, nil
				s.begin(nil)
				if f = s.ended(f.ID); f.Status != file.Completed {
					t.Fatalf("%s %s", f.Status, f.Error)
				}
				if got := s.found(s.ann, "ships", "file-"+f.ID); len(got) == 0 {
					t.Error("nothing is found")
				}
				if n, err := s.db.CountJobs(context.Background()); err != nil || n != 0 {
					eventually(t, "all work is ended", func() bool { n, _ := s.db.CountJobs(context.Background()); return n == 0 })
				}
			})
		})
	}
}

// A file that is deleted while it is in work is not there again afterwards.
func TestDeletedInWork(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, url string) {
		s := newStand(t, url, nil)
		var all sync.WaitGroup
		ids := make(chan string, *races)
		for i := range *races {
			f := s.upload(s.ann, fmt.Sprintf("%d.pdf", i), fmt.Sprintf("Marker%d. ", i)+strings.Repeat("Some words more. ", 100*(i%7)))
			all.Go(func() {
				time.Sleep(time.Duration(i%5) * 3 * time.Millisecond)
				if err := s.files.Delete(context.Background(), s.ann, f.ID); err != nil {
					t.Error(err)
				}
				ids <- f.ID
			})
		}
		all.Wait()
		close(ids)
		s.nothingLeft()
		for id := range ids {
			if _, err := s.db.FileByID(context.Background(), id); !errdefs.Is(err, errdefs.NotFound) {
				t.Errorf("%s is there again: %v", id, err)
			}
		}
	})
}

// Indexes that are lost are made anew from the database, and until then the
// answers say so.
func TestIndexLost(t *testing.T) {
	t.Parallel()
	s := newStand(t, "sqlite://:memory:", nil)
	f := s.completed(s.ann, "a.txt", "A text about foxes.")
	s.stop()
	s.lexical, s.vectors = new(retrievaltest.Lexical), new(retrievaltest.Vectors)
	var hold atomic.Bool
	hold.Store(true)
	s.lexical.Fault = func() error {
		if hold.Load() {
			return errors.New("not yet")
		}
		return nil
	}
	s.begin(nil)
	found, err := s.Find(context.Background(), s.ann, []string{"file-" + f.ID}, retrieval.Question{Text: "foxes"})
	if err != nil || !strings.Contains(strings.Join(found.Warnings, " "), "brought up to date") {
		t.Errorf("%v %v", found, err)
	}
	hold.Store(false)
	eventually(t, "the text is found again", func() bool {
		found, err := s.Find(context.Background(), s.ann, []string{"file-" + f.ID}, retrieval.Question{Text: "foxes"})
		return err == nil && len(found.Passages) == 1 && len(found.Warnings) == 0
	})
}

// foundUnder fails unless all that a question finds is of one profile.
func (s *stand) foundUnder(profile, question, name string) {
	s.t.Helper()
	passages, err := s.Search(context.Background(), s.ann, []string{name}, retrieval.Question{Text: question, K: 100})
	must(s.t, err)
	if len(passages) == 0 {
		s.t.Fatal("nothing is found")
	}
	for _, p := range passages {
		if set, err := s.db.SetOf(context.Background(), p.FileID, profile); err != nil || set.ID != p.Set {
			s.t.Errorf("a chunk of set %d, which is not of the profile %s: %v", p.Set, profile, err)
		}
	}
}

// Another embedder, or other chunks, are built beside what is searched; no
// search ever mixes two.
func TestProfileIsSwitchedWhole(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, url string) {
		two := &retrievaltest.Embedder{Model: "two"}
		var held atomic.Bool
		held.Store(true)
		two.Fault = func(ctx context.Context, _ []string) ([]float32, error) {
			for held.Load() && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			return nil, ctx.Err()
		}
		s := newStand(t, url, func(s *stand, cfg *retrieval.Config) {
			s.embedders = retrievaltest.NewEmbedders(s.embedder, two)
			cfg.Embed = s.embedders
		})
		var files []*file.File
		for i := range 5 {
			files = append(files, s.completed(s.ann, fmt.Sprintf("%d.txt", i), fmt.Sprintf("Text %d speaks of foxes. ", i)+strings.Repeat("And of ships. ", 200)))
		}
		k := s.collection(s.ann, "all", files...)
		ctx := context.Background()
		before, _, err := s.db.InstanceProfiles(ctx)
		must(t, err)
		s.embedders.Use(two)
		must(t, s.settings.Set(ctx, map[string]any{setting.ChunkSize.Name: 400}))
		eventually(t, "another profile is being built", func() bool {
			_, next, err := s.db.InstanceProfiles(ctx)
			return err == nil && next != ""
		})
		if now, _, _ := s.db.InstanceProfiles(ctx); now != before {
			t.Fatal("the profile was switched before it was whole")
		}
		s.foundUnder(before, "foxes ships", k.ID)
		held.Store(false)
		eventually(t, "the profile is switched", func() bool {
			now, next, err := s.db.InstanceProfiles(ctx)
			return err == nil && now != before && next == ""
		})
		now, _, err := s.db.InstanceProfiles(ctx)
		must(t, err)
		s.foundUnder(now, "foxes ships", k.ID)
		eventually(t, "the sets of before are gone", func() bool {
			ids, err := s.db.UnusedSets(ctx, []string{}, 100)
			return err == nil && len(ids) == len(files)
		})
	})
}

// An embedder that does not work never takes the place of one that does.
func TestBrokenProfileIsNotSwitchedTo(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, url string) {
		broken := &retrievaltest.Embedder{Model: "two"}
		broken.Fault = func(context.Context, []string) ([]float32, error) { return nil, errors.New("status 500") }
		s := newStand(t, url, func(s *stand, cfg *retrieval.Config) {
			s.embedders = retrievaltest.NewEmbedders(s.embedder, broken)
			cfg.Embed = s.embedders
		})
		f := s.completed(s.ann, "a.txt", "A text of foxes.")
		ctx := context.Background()
		before, _, err := s.db.InstanceProfiles(ctx)
		must(t, err)
		s.embedders.Use(broken)
		must(t, s.settings.Set(ctx, map[string]any{setting.EmbeddingModel.Name: "two"}))
		eventually(t, "the next profile has failed", func() bool {
			_, next, err := s.db.InstanceProfiles(ctx)
			must(t, err)
			set, err := s.db.SetOf(ctx, f.ID, next)
			return err == nil && set.Error != ""
		})
		must(t, s.Reindex(ctx))
		if now, _, err := s.db.InstanceProfiles(ctx); err != nil || now != before {
			t.Errorf("switched from %s to %s: %v", before, now, err)
		}
		s.foundUnder(before, "foxes", "file-"+f.ID)
	})
}

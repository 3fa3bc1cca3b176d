package retrieval_test

import (
	"context"
	"strings"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/retrieval"
)

func TestUploadIsFound(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, url string) {
		s := newStand(t, url, nil)
		f := s.completed(s.ann, "a.txt", "The lighthouse of Alexandria was tall.")
		for _, name := range []string{"file-" + f.ID, s.collection(s.ann, "wonders", f).ID} {
			if got := s.found(s.ann, "lighthouse", name); len(got) != 1 || got[0] != "The lighthouse of Alexandria was tall." {
				t.Errorf("%s: found %q", name, got)
			}
			if _, err := s.Search(context.Background(), s.bob, []string{name}, retrieval.Question{Text: "lighthouse"}); !errdefs.Is(err, errdefs.Forbidden) {
				t.Errorf("bob may search %s: %v", name, err)
			}
		}
		must(t, s.files.Delete(context.Background(), s.ann, f.ID))
		if _, err := s.Search(context.Background(), s.ann, []string{"file-" + f.ID}, retrieval.Question{Text: "lighthouse"}); !errdefs.Is(err, errdefs.Forbidden) {
			t.Errorf("a deleted file: %v", err)
		}
	})
}

// Equal bytes are read once, equal text is embedded once.
func TestNothingTwice(t *testing.T) {
	t.Parallel()
	s := newStand(t, "sqlite://:memory:", nil)
	text := strings.Repeat("Some words about harbours and ships. ", 200)
	s.completed(s.ann, "a.txt", text)
	reads, embeds := s.extract.Calls.Load(), s.embedder.Calls.Load()
	b := s.completed(s.bob, "b.txt", text)
	if s.extract.Calls.Load() != reads || s.embedder.Calls.Load() != embeds {
		t.Errorf("read %d times, embedded %d chunks more", s.extract.Calls.Load()-reads, s.embedder.Calls.Load()-embeds)
	}
	if got := s.found(s.bob, "harbours", "file-"+b.ID); len(got) == 0 {
		t.Error("the copy is not found")
	}
	k := s.collection(s.bob, "k", b)
	if s.embedder.Calls.Load() != embeds {
		t.Error("adding a file to a collection embeds")
	}
	if got := s.found(s.bob, "harbours", k.ID); len(got) == 0 {
		t.Error("the collection is empty")
	}
}

// Without an embedder text alone is found, and that is said.
func TestNoEmbedder(t *testing.T) {
	t.Parallel()
	s := newStand(t, "sqlite://:memory:", nil)
	s.embedders.Use(nil)
	f := s.completed(s.ann, "a.txt", "Error E1234 means the disk is full.")
	found, err := s.Find(context.Background(), s.ann, []string{"file-" + f.ID}, retrieval.Question{Text: "E1234"})
	must(t, err)
	if len(found.Passages) != 1 || len(found.Warnings) != 1 || !strings.Contains(found.Warnings[0], "words alone") {
		t.Errorf("%+v", found)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, url string) {
		s := newStand(t, url, nil)
		f := s.completed(s.ann, "a.txt", "The capital of Portugal is Lisbon.")
		k := s.collection(s.ann, "k", f)
		must(t, s.Replace(context.Background(), f, "The capital of Brazil is Brasília."))
		if f = s.ended(f.ID); f.Status != file.Completed {
			t.Fatal(f.Error)
		}
		if got := s.found(s.ann, "capital Portugal", k.ID); len(got) != 1 || !strings.Contains(got[0], "Brazil") {
			t.Errorf("found %q", got)
		}
		if err := s.Replace(context.Background(), f, " \n"); !errdefs.Is(err, errdefs.Invalid) {
			t.Errorf("an empty text: %v", err)
		}
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := newStand(t, "sqlite://:memory:", nil)
	names := make([]string, 65)
	for i := range names {
		names[i] = strings.Repeat("x", i+1)
	}
	ctx := context.Background()
	for what, err := range map[string]error{
		"65 names": func() error { _, err := s.Search(ctx, s.admin, names, retrieval.Question{Text: "x"}); return err }(),
		"a long question": func() error {
			_, err := s.Search(ctx, s.admin, nil, retrieval.Question{Text: strings.Repeat("x", 32<<10+1)})
			return err
		}(),
	} {
		if !errdefs.Is(err, errdefs.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Search(ctx, s.admin, names[:64], retrieval.Question{Text: strings.Repeat("x", 32<<10), K: 1 << 30}); err != nil {
		t.Error(err)
	}
	if _, err := s.Search(ctx, s.ann, names[:1], retrieval.Question{Text: "x"}); !errdefs.Is(err, errdefs.Forbidden) {
		t.Errorf("an unknown name: %v", err)
	}
}

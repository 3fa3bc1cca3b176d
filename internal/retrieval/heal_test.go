package retrieval_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/retrieval"
	"portico/internal/retrieval/float16"
	"portico/internal/retrieval/lexical"
	"portico/internal/retrieval/vector"
)

// filed is a stand over the real indexes, in files.
type filed struct {
	*stand
	words, vectors string // folders
	warnings       atomic.Int64
}

func newFiled(t *testing.T, compact time.Duration) *filed {
	t.Helper()
	f := &filed{words: t.TempDir(), vectors: t.TempDir()}
	words, err := lexical.Open(f.words, "a", lexical.Options{Idle: 10 * time.Millisecond})
	must(t, err)
	vectors, err := vector.Open(f.vectors, "a", vector.Options{Memory: 4})
	must(t, err)
	t.Cleanup(func() { _, _ = words.Close(), vectors.Close() })
	f.stand = newStand(t, "sqlite://:memory:", func(_ *stand, cfg *retrieval.Config) {
		cfg.Lexical, cfg.Vectors, cfg.Compact = words, vectors, compact
		cfg.Log = slog.New(counter{slog.DiscardHandler, &f.warnings})
	})
	return f
}

// counter counts what is logged as a warning.
type counter struct {
	slog.Handler
	n *atomic.Int64
}

func (c counter) Enabled(context.Context, slog.Level) bool { return true }
func (c counter) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		c.n.Add(1)
	}
	return nil
}

// onDisk reports whether a file of a folder holds some bytes.
func onDisk(t *testing.T, dir string, what []byte) (held bool) {
	t.Helper()
	must(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // it was replaced meanwhile
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		held = held || err == nil && bytes.Contains(b, what)
		return nil
	}))
	return held
}

// What is deleted leaves the files of the indexes by itself, and nothing else
// does.
func TestDeletedLeavesTheDisk(t *testing.T) {
	t.Parallel()
	s := newFiled(t, 20*time.Millisecond)
	kept := s.completed(s.ann, "kept.txt", "The harbour of qzkeptword lies in the north.")
	const text = "The secret of qzgoneword was told to nobody."
	gone := s.completed(s.ann, "gone.txt", text)
	v, err := s.embedder.Passages(context.Background(), []string{text}, nil)
	must(t, err)
	half, _ := float16.Append(nil, v)
	eventually(t, "all is on disk", func() bool {
		return onDisk(t, s.words, []byte("goneword")) && onDisk(t, s.words, []byte("keptword")) && onDisk(t, s.vectors, half)
	})
	must(t, s.files.Delete(context.Background(), s.ann, gone.ID))
	eventually(t, "the deleted words and vectors are gone", func() bool {
		return !onDisk(t, s.words, []byte("goneword")) && !onDisk(t, s.vectors, half)
	})
	if !onDisk(t, s.words, []byte("keptword")) || len(s.found(s.ann, "qzkeptword", "file-"+kept.ID)) != 1 {
		t.Error("what was not deleted is gone, too")
	}
}

// Files of the indexes that are damaged under a service heal by themselves:
// searches go on, say what they lack, and end with everything found again.
func TestIndexesHeal(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"cut":     func(path string) error { return os.Truncate(path, 64) },
		"flipped": func(path string) error { return flip(path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFiled(t, time.Hour)
			var names []string
			for i := range 12 {
				f := s.completed(s.ann, fmt.Sprintf("%d.txt", i), strings.Repeat(fmt.Sprintf("Ship number%d sails. ", i), 100))
				names = append(names, "file-"+f.ID)
			}
			must(t, s.Compact(t.Context())) // writes them
			for _, dir := range []string{s.words, s.vectors} {
				files, err := filepath.Glob(filepath.Join(dir, "*.[sv]e[gc]"))
				must(t, err)
				if len(files) == 0 {
					t.Fatal("nothing is on disk")
				}
				for _, path := range files {
					if err := damage(path); !errors.Is(err, fs.ErrNotExist) { // merged meanwhile
						must(t, err)
					}
				}
			}
			// Damage of vectors that only changes an order is noticed when they are
			// written anew.
			must(t, s.files.Delete(t.Context(), s.ann, strings.TrimPrefix(names[0], "file-")))
			if err := s.Compact(t.Context()); err == nil {
				t.Error("the damage is not noticed")
			}
			labelled := false
			eventually(t, "everything is found again", func() bool {
				for i, name := range names[1:] {
					found, err := s.Find(t.Context(), s.ann, []string{name}, retrieval.Question{Text: fmt.Sprintf("number%d", i+1)})
					must(t, err)
					warned := strings.Contains(strings.Join(found.Warnings, " "), "brought up to date")
					if len(found.Passages) == 0 && !warned {
						t.Fatal("a passage is missing, and that is not said")
					}
					labelled = labelled || warned
					if len(found.Passages) == 0 || warned {
						return false
					}
				}
				return true
			})
			if !labelled {
				t.Error("nothing said that the index was being filled")
			}
			if n := s.warnings.Load(); n > 4 {
				t.Errorf("%d warnings", n)
			}
		})
	}
}

// flip changes a byte in the middle of a file.
func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)*3/4] ^= 0x55
	return os.WriteFile(path, b, 0o600)
}

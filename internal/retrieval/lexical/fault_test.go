package lexical

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"portico/internal/retrieval/index"
)

// A file that is cut short while it is in use makes the index broken, and
// ends nothing else, whoever meets it first.
func TestCutWhileMapped(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	all := func(_ context.Context, ids []int64) (index.Scope, error) { return ids, nil }
	for what, do := range map[string]func(*Index, index.Scope, *corpus) error{
		"search": func(ix *Index, scope index.Scope, c *corpus) error {
			_, err := ix.Search(ctx, c.text(5), scope, 10)
			return err
		},
		"rarity": func(ix *Index, scope index.Scope, _ *corpus) error {
			_, err := ix.Rarity(scope)
			return err
		},
		"add":     func(ix *Index, _ index.Scope, c *corpus) error { return ix.Add(ctx, 41, 41, c.chunks(2, 10)) },
		"compact": func(ix *Index, _ index.Scope, _ *corpus) error { return ix.Compact(ctx, all) },
		"merge": func(ix *Index, _ index.Scope, _ *corpus) error {
			alike, times := ix.choose(1, fileBits, func(s *segment) bool { return s.name != "" })
			return ix.file(ctx, alike, nil, 0, times)
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c, dir := newCorpus(5, 3000), t.TempDir()
			ref, rows := reference{}, map[int64][]index.Text{}
			ix := open(t, dir, "a", Options{Idle: time.Hour})
			for id := int64(1); id <= 40; id++ {
				rows[id] = c.chunks(20, 60)
				ref.add(id, rows[id])
				add(t, ix, id, id, rows[id])
			}
			scope := c.some(ref, 1)
			if err := ix.flush(ctx); err != nil {
				t.Fatal(err)
			}
			for _, s := range ix.segments {
				if err := os.Truncate(filepath.Join(dir, s.name), 100); err != nil {
					t.Fatal(err)
				}
			}
			if err := do(ix, scope, c); !errors.Is(err, ErrBroken) {
				t.Fatalf("got %v", err)
			}
			if what == "add" { // was told already
				ix.told = false
			}
			remake(t, ix, rows)
			compare(t, open(t, dir, "a", Options{Idle: time.Hour}), ref, c, scope)
		})
	}
}

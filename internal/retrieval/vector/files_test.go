package vector

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"

	"portico/internal/retrieval/index"
)

// fill makes an index of several files in dir and closes it.
func fill(t *testing.T, dir string, w *world) {
	t.Helper()
	x, err := Open(dir, "a", Options{Memory: 150})
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range w.scope {
		add(t, x, set, w.sets[set]...)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}

func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestDamage cuts, changes and removes each file: what is damaged is thrown
// away at the start, or found out when it is merged, and never believed where
// it says which set a row is of.
func TestDamage(t *testing.T) {
	t.Parallel()
	w := newWorld(8, 20, 20, 32)
	whole := t.TempDir()
	fill(t, whole, w)
	for _, name := range filesIn(t, whole) {
		size := len(read(t, filepath.Join(whole, name)))
		damages := map[string]func(path string) error{
			"removed":  os.Remove,
			"emptied":  func(path string) error { return os.Truncate(path, 0) },
			"cut":      func(path string) error { return os.Truncate(path, int64(size-1)) },
			"extended": func(path string) error { return os.Truncate(path, int64(size+64)) },
		}
		checked := size // what is checked at the start
		if filepath.Ext(name) == suffix {
			seg, err := openSegment(filepath.Join(whole, name), name)
			if err != nil {
				t.Fatal(err)
			}
			checked = int(seg.sections.codes)
			if err := seg.close(); err != nil {
				t.Fatal(err)
			}
		}
		for at := 0; at < checked; at += 5 {
			damages["changed"] = func(path string) error {
				b := read(t, path)
				b[at] ^= 0x10
				return os.WriteFile(path, b, 0o600)
			}
			for how, damage := range damages {
				dir := copyDir(t, whole)
				if err := damage(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
				checkThrownAway(t, dir, name+" "+how)
			}
			clear(damages)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func checkThrownAway(t *testing.T, dir, what string) {
	t.Helper()
	x, err := Open(dir, "a", Options{})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if x.Seq() != 0 || len(filesIn(t, dir)) != 0 {
		t.Errorf("%s: the index goes on from %d with %v", what, x.Seq(), filesIn(t, dir))
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

func TestForeignInstance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, newWorld(8, 5, 20, 32))
	x := openIn(t, dir, "b", Options{})
	if x.Seq() != 0 || len(filesIn(t, dir)) != 0 {
		t.Errorf("the index of another instance goes on from %d", x.Seq())
	}
}

// TestDamagedVectors: a merge does not carry on what is damaged.
func TestDamagedVectors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(9, 20, 20, 32)
	fill(t, dir, w)
	x := openIn(t, dir, "a", Options{})
	path := filepath.Join(dir, x.segments[0].name)
	b := read(t, path)
	b[len(b)-5] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	err := x.Compact(t.Context(), func(context.Context, []int64) (index.Scope, error) { return w.scope[:1], nil })
	if !errors.Is(err, ErrBroken) {
		t.Fatalf("got %v", err)
	}
	if x.Seq() != 0 {
		t.Error("a broken index says that it holds something")
	}
	if _, err := x.Search(t.Context(), "s", w.asked[0], w.scope, 5); !errors.Is(err, ErrBroken) {
		t.Errorf("got %v", err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	checkThrownAway(t, dir, "damaged in use")
}

// A file that is cut short while it is in use makes the index broken, and ends
// nothing else, whoever meets it first. What is added again is found again.
func TestCutWhileMapped(t *testing.T) {
	t.Parallel()
	fewer := func(_ context.Context, ids []int64) (index.Scope, error) { return ids[1:], nil }
	for what, do := range map[string]func(*Index, *world) error{
		"search": func(x *Index, w *world) error {
			_, err := x.Search(t.Context(), "s", w.asked[0], w.scope, 5)
			return err
		},
		"scan": func(x *Index, w *world) error {
			x.opt.Candidates = 10
			_, err := x.Search(t.Context(), "s", w.asked[0], w.scope, 1)
			return err
		},
		"merge": func(x *Index, _ *world) (err error) {
			defer x.note(&err)
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
			defer caught(&err)
			return x.rewrite(x.segments, nil)
		},
		"compact": func(x *Index, _ *world) error { return x.Compact(t.Context(), fewer) },
	} {
		for _, size := range []int64{100, 5000, -1} {
			dir := t.TempDir()
			w := newWorld(12, 400, 20, 32)
			fill(t, dir, w)
			x := openIn(t, dir, "a", Options{})
			for _, s := range x.segments {
				to := size
				if size < 0 {
					to = s.sections.end - 10
				}
				if err := os.Truncate(filepath.Join(dir, s.name), to); err != nil {
					t.Fatal(err)
				}
			}
			err := do(x, w)
			if size < 0 && err == nil {
				continue // the last vector was not looked at
			}
			if !errors.Is(err, ErrBroken) || x.Seq() != 0 {
				t.Fatalf("%s, cut to %d: %v, seq %d", what, size, err, x.Seq())
			}
			if err := x.Add(t.Context(), 9999, 9999, "s", 32, w.asked[0]); !errors.Is(err, ErrBroken) || x.Seq() != 0 {
				t.Fatalf("a broken index goes on as if it were not: %v", err)
			}
			for _, set := range w.scope {
				add(t, x, set, w.sets[set]...)
			}
			y := openIn(t, t.TempDir(), "a", Options{})
			for _, set := range w.scope {
				add(t, y, set, w.sets[set]...)
			}
			if got, want := find(t, x, w.asked[1], w.scope, 10), find(t, y, w.asked[1], w.scope, 10); !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", what, got, want)
			}
		}
	}
}

// TestCrash: what a start finds after a crash at any moment of a flush is the
// state before it or after it.
func TestCrash(t *testing.T) {
	t.Parallel()
	w := newWorld(10, 30, 20, 32)
	dir := t.TempDir()
	x := openIn(t, dir, "a", Options{Memory: 100})
	seen := map[int64]bool{}
	for _, set := range w.scope {
		add(t, x, set, w.sets[set]...)
		// As if the power went now: a copy, with leftovers.
		left := copyDir(t, dir)
		for _, name := range []string{"99999999.vec", "manifest.new"} {
			if err := os.WriteFile(filepath.Join(left, name), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		y, err := Open(left, "a", Options{Memory: 100})
		if err != nil {
			t.Fatal(err)
		}
		if y.Seq() != x.Seq() || len(filesIn(t, left)) > 1+len(y.segments) {
			t.Errorf("goes on from %d, not %d, with %v", y.Seq(), x.Seq(), filesIn(t, left))
		}
		seen[y.Seq()] = true
		for _, s := range w.scope { // what follows is added again, as at a start
			if s <= set && s > y.Seq() {
				add(t, y, s, w.sets[s]...)
			}
		}
		if got, want := find(t, y, w.asked[0], w.scope, 10), find(t, x, w.asked[0], w.scope, 10); !slices.Equal(got, want) {
			t.Errorf("set %d: got %v, want %v", set, got, want)
		}
		if err := y.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) < 3 {
		t.Error("the index was hardly ever written")
	}
}

// TestCompact: sets that are gone give back their room.
func TestCompact(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(11, 40, 20, 32)
	fill(t, dir, w)
	x := openIn(t, dir, "a", Options{})
	rows := func() (n int) {
		for _, s := range x.segments {
			n += s.n
		}
		return n
	}
	before, seq := rows(), x.Seq()
	alive := w.scope[:10]
	want := find(t, x, w.asked[0], alive, 10)
	live := func(_ context.Context, ids []int64) (index.Scope, error) {
		return slices.DeleteFunc(ids, func(id int64) bool { return !alive.Has(id) }), nil
	}
	if err := x.Compact(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	if after := rows(); after > before/2 || x.Seq() != seq {
		t.Errorf("%d of %d rows are left, seq %d after %d", after, before, x.Seq(), seq)
	}
	if got := find(t, x, w.asked[0], w.scope, 10); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	alive = nil
	if err := x.Compact(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	if rows() != 0 || len(filesIn(t, dir)) != 1 {
		t.Errorf("left are %v", filesIn(t, dir))
	}
	failed := errors.New("no database")
	add(t, x, 5000, w.asked[0])
	if err := x.flush(); err != nil {
		t.Fatal(err)
	}
	if err := x.Compact(t.Context(), func(context.Context, []int64) (index.Scope, error) { return nil, failed }); !errors.Is(err, failed) || rows() != 1 {
		t.Errorf("got %v, %d rows", err, rows())
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	x := open(t, Options{})
	if err := errors.Join(x.Close(), x.Close()); err != nil {
		t.Error(err)
	}
	if err := x.Add(t.Context(), 1, 1, "s", 1, []float32{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := x.Search(t.Context(), "s", []float32{1}, index.Scope{1}, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

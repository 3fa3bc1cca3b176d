package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico/internal/errdefs"
)

func openDir(t testing.TB) (*Dir, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blobs")
	d, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, path
}

func some(n int) []byte { return bytes.Repeat([]byte("0123456789abcde\n"), n/16+1)[:n] }

// tree lists all files below a folder.
func tree(t testing.TB, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestFlippedBit flips each bit of a small blob, and some of a large one:
// nothing of the block that it is in is ever given, nor anything wrong.
func TestFlippedBit(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 40, 3*block + 5} {
		d, path := openDir(t)
		want := some(size)
		b, err := d.Put(t.Context(), bytes.NewReader(want), 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(path, b.Hash[:2], b.Hash)
		frame, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		step := 1
		if len(frame) > 100 {
			step = 8*len(frame)/1000 + 1
		}
		flips := 0
		for bit := 0; bit < 8*len(frame); bit += step {
			flips++
			frame[bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(file, frame, 0o600); err != nil {
				t.Fatal(err)
			}
			frame[bit/8] ^= 1 << (bit % 8)
			c, err := d.Open(t.Context(), b.Hash)
			if err == nil {
				var got []byte
				got, err = io.ReadAll(c)
				if !bytes.HasPrefix(want, got) || len(got) == len(want) {
					t.Fatalf("bit %d: gave %d bytes", bit, len(got))
				}
				_ = c.Close()
			}
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("bit %d: %v", bit, err)
			}
		}
		t.Logf("%d bytes: %d flips", size, flips)
		// Putting the bytes again mends it.
		if _, err := d.Put(t.Context(), bytes.NewReader(want), 1<<30); err != nil {
			t.Fatal(err)
		}
		c, err := d.Open(t.Context(), b.Hash)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("after the mending: %d bytes, %v", len(got), err)
		}
		_ = c.Close()
	}
}

// TestTruncated cuts a blob at every length: it is damaged, never short.
func TestTruncated(t *testing.T) {
	t.Parallel()
	d, path := openDir(t)
	b, err := d.Put(t.Context(), bytes.NewReader(some(50)), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, b.Hash[:2], b.Hash)
	frame, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n := range frame {
		if err := os.WriteFile(file, frame[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Open(t.Context(), b.Hash); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// failing fails its n-th call, counted over all files that a Dir writes.
type failing struct {
	draft
	left *int
	err  error
}

func (f failing) fail() error {
	if *f.left--; *f.left == 0 {
		return f.err
	}
	return nil
}

func (f failing) Write(p []byte) (int, error) {
	if err := f.fail(); err != nil {
		n, _ := f.draft.Write(p[:len(p)/2]) // as a disk that fills up
		return n, err
	}
	return f.draft.Write(p)
}

func (f failing) Sync() error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.draft.Sync()
}

func (f failing) Close() error { return errors.Join(f.fail(), f.draft.Close()) }

// TestDiskFull makes each call to the disk fail in turn: the put fails with
// 507 (or 500 for a broken disk), nothing is left, and the next one works.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for err, status := range map[error]int{syscall.ENOSPC: 507, syscall.EDQUOT: 507, syscall.EIO: 500} {
		n := 1
		for ; ; n++ {
			d, path := openDir(t)
			left := n
			make := d.make
			d.make = func(path string) (draft, error) {
				f, err2 := make(path)
				return failing{f, &left, err}, err2
			}
			b, got := d.Put(t.Context(), bytes.NewReader(some(3*block)), 1<<30)
			if left > 0 {
				if got != nil || b.Size != 3*block {
					t.Errorf("nothing failed, and yet %v", got)
				}
				break
			}
			if s := errdefs.From(got).HTTPStatus(); s != status || strings.Contains(errdefs.From(got).Detail, path) {
				t.Errorf("call %d fails with %v: %d %v", n, err, s, got)
			}
			if files := tree(t, path); len(files) > 0 {
				t.Errorf("call %d fails with %v: left %v", n, err, files)
			}
			d.make = make
			if _, err := d.Put(t.Context(), bytes.NewReader(some(3*block)), 1<<30); err != nil {
				t.Error(err)
			}
		}
		if n < 6 { // four writes, a sync, a close
			t.Errorf("%v: only %d calls", err, n)
		}
	}
}

func TestReserve(t *testing.T) {
	t.Parallel()
	d, path := openDir(t)
	free := int64(99)
	d.space = func() (int64, error) { return free, nil }
	d.Reserve(100)
	_, err := d.Put(t.Context(), strings.NewReader("x"), 10)
	if errdefs.From(err).HTTPStatus() != 507 || len(tree(t, path)) > 0 {
		t.Errorf("got %v", err)
	}
	free = 100
	b, err := d.Put(t.Context(), strings.NewReader("x"), 10)
	if err != nil {
		t.Fatal(err)
	}
	free = 0 // what is there can be read and removed
	if _, err := d.Open(t.Context(), b.Hash); err != nil {
		t.Error(err)
	}
	if err := d.Remove(t.Context(), b.Hash, time.Now().Add(time.Hour)); err != nil || len(tree(t, path)) > 0 {
		t.Error(err)
	}
}

// TestTidy leaves what still moves.
func TestTidy(t *testing.T) {
	t.Parallel()
	d, path := openDir(t)
	old := time.Now().Add(-time.Hour)
	for name, at := range map[string]time.Time{"dead": old, "alive": time.Now()} {
		file := filepath.Join(path, temp, name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	n, err := d.Tidy(t.Context(), time.Now().Add(-time.Minute))
	if files := tree(t, path); n != 1 || err != nil || len(files) != 1 || filepath.Base(files[0]) != "alive" {
		t.Errorf("%d, %v: %v", n, err, files)
	}
}

// TestClaim: a server on another database by mistake removes nothing.
func TestClaim(t *testing.T) {
	t.Parallel()
	d, path := openDir(t)
	b, err := d.Put(t.Context(), strings.NewReader("x"), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id   string
		ours bool
		left int
	}{{"a", true, 2}, {"b", false, 2}, {"a", true, 2}} {
		if ours, err := d.Claim(c.id); ours != c.ours || err != nil {
			t.Errorf("%s: %v, %v", c.id, ours, err)
		}
		if c.id == "b" {
			if err := d.Remove(t.Context(), b.Hash, time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
		}
		if files := tree(t, path); len(files) != c.left {
			t.Errorf("%s: %v", c.id, files)
		}
	}
	if err := d.Remove(t.Context(), b.Hash, time.Now().Add(time.Hour)); err != nil || len(tree(t, path)) != 1 {
		t.Errorf("%v %v", tree(t, path), err)
	}
	if whose, err := d.Owner(); whose != "a" || err != nil {
		t.Errorf("%s %v", whose, err)
	}
}

// TestOutside: what links lead out of the folder is not reached.
func TestOutside(t *testing.T) {
	t.Parallel()
	d, path := openDir(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, some(100), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(nil)
	hash := hex.EncodeToString(sum[:])
	if err := os.Mkdir(filepath.Join(path, hash[:2]), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(path, hash[:2], hash)); err != nil {
		t.Fatal(err)
	}
	_, err := d.Open(t.Context(), hash)
	if err == nil || strings.Contains(errdefs.From(err).Detail, path) {
		t.Errorf("got %v", err)
	}
}

// TestPutMemory: what is put passes through one buffer.
func TestPutMemory(t *testing.T) {
	d, _ := openDir(t)
	const size = 64 << 20
	put := func() {
		if _, err := d.Put(t.Context(), io.LimitReader(endless{}, size), size); err != nil {
			t.Fatal(err)
		}
	}
	put()
	got := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			put()
		}
	})
	if n := got.AllocedBytesPerOp(); n > 256<<10 {
		t.Errorf("a put of 64 MiB allocates %d bytes", n)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func FuzzFrame(f *testing.F) {
	for _, n := range []int{0, 1, block, block + 1} {
		var buf bytes.Buffer
		w := newFramer(&buf)
		_, _ = w.Write(some(n))
		_ = w.finish()
		f.Add(buf.Bytes())
	}
	path := filepath.Join(f.TempDir(), "frame")
	f.Fuzz(func(t *testing.T, frame []byte) {
		if err := os.WriteFile(path, frame, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		c, err := openFrame(file)
		if err != nil {
			return
		}
		if got, err := io.ReadAll(c); err == nil {
			var again bytes.Buffer
			w := newFramer(&again)
			_, _ = w.Write(got)
			_ = w.finish()
			if !bytes.Equal(again.Bytes(), frame) {
				t.Error("two frames of the same bytes")
			}
		}
	})
}

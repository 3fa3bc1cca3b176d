// Package blobtest holds what every blob.Store must keep, for the tests of each.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"portico/internal/blob"
	"portico/internal/errdefs"
)

// Run runs every case, each on a store of its own.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	for name, run := range map[string]func(t *testing.T, s blob.Store){
		"sizes": sizes, "same twice": sameTwice, "limit": limit, "broken source": brokenSource, "cancelled": cancelled,
		"names": names, "remove": remove, "each": each, "at once": atOnce, "reads": reads,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, open(t))
		})
	}
}

const block = 64 << 10

// Some gives n bytes that are the same every time.
func Some(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	_, _ = r.Read(b)
	return b
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, s blob.Store, b []byte) blob.Blob {
	t.Helper()
	got, err := s.Put(t.Context(), bytes.NewReader(b), int64(len(b)))
	must(t, err)
	if got.Hash != sum(b) || got.Size != int64(len(b)) {
		t.Errorf("got %+v", got)
	}
	return got
}

func read(t *testing.T, s blob.Store, hash string) []byte {
	t.Helper()
	c, err := s.Open(t.Context(), hash)
	must(t, err)
	defer c.Close()
	b, err := io.ReadAll(c)
	must(t, err)
	return b
}

func hashes(t *testing.T, s blob.Store) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	must(t, s.Each(t.Context(), func(b blob.Blob, put time.Time) error {
		if _, twice := all[b.Hash]; twice {
			t.Errorf("%s is there twice", b.Hash)
		}
		if age := time.Since(put); age < -time.Minute || age > time.Hour {
			t.Errorf("put at %v", put)
		}
		all[b.Hash] = b.Size
		return nil
	}))
	return all
}

func isEmpty(t *testing.T, s blob.Store) {
	t.Helper()
	if all := hashes(t, s); len(all) > 0 {
		t.Errorf("there is %v", all)
	}
	if n, err := s.Tidy(t.Context(), time.Now().Add(time.Hour)); n != 0 || err != nil {
		t.Errorf("%d drafts were left, %v", n, err)
	}
}

func sizes(t *testing.T, s blob.Store) {
	for _, n := range []int{0, 1, block - 1, block, block + 1, 3*block - 1, 3 * block, 1 << 20} {
		b := Some(n)
		for _, r := range []io.Reader{bytes.NewReader(b), iotest.HalfReader(bytes.NewReader(b)), iotest.DataErrReader(bytes.NewReader(b))} {
			got, err := s.Put(t.Context(), r, int64(n))
			must(t, err)
			if got.Hash != sum(b) || got.Size != int64(n) {
				t.Errorf("%d bytes: %+v", n, got)
			}
		}
		if !bytes.Equal(read(t, s, sum(b)), b) {
			t.Errorf("%d bytes come back otherwise", n)
		}
	}
}

func sameTwice(t *testing.T, s blob.Store) {
	b := Some(100)
	put(t, s, b)
	c, err := s.Open(t.Context(), sum(b))
	must(t, err)
	defer c.Close()
	put(t, s, b)
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, b) {
		t.Errorf("what was open reads %d bytes, %v", len(got), err)
	}
	if all := hashes(t, s); len(all) != 1 || all[sum(b)] != 100 {
		t.Errorf("there is %v", all)
	}
}

// counting notes how far it was read.
type counting struct {
	io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func limit(t *testing.T, s blob.Store) {
	endless := &counting{Reader: zeros{}}
	_, err := s.Put(t.Context(), endless, 300_000)
	if !errdefs.Is(err, errdefs.TooLarge) {
		t.Errorf("got %v", err)
	}
	if endless.n > 300_000+block {
		t.Errorf("%d bytes were taken", endless.n)
	}
	isEmpty(t, s)
	_, err = s.Put(t.Context(), bytes.NewReader(Some(11)), 10)
	if !errdefs.Is(err, errdefs.TooLarge) {
		t.Errorf("got %v", err)
	}
	put(t, s, Some(10))
}

func brokenSource(t *testing.T, s blob.Store) {
	broken := errors.New("broken")
	for _, n := range []int{0, 1, block, 2*block + 7} {
		_, err := s.Put(t.Context(), io.MultiReader(bytes.NewReader(Some(n)), iotest.ErrReader(broken)), 1<<30)
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	isEmpty(t, s)
}

func cancelled(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	_, err := s.Put(ctx, readerFunc(func(p []byte) (int, error) {
		if n++; n == 5 {
			cancel()
		}
		clear(p)
		return len(p), nil
	}), 1<<40)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	isEmpty(t, s)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// names that are no hash are not there, whatever they would reach elsewhere.
func names(t *testing.T, s blob.Store) {
	b := put(t, s, Some(9))
	for _, name := range []string{"", ".", "..", "/", "../" + b.Hash[3:], b.Hash[:63], b.Hash + "0", b.Hash[:62] + "..", "/etc/passwd",
		fmt.Sprintf("%-64s", "../../../../etc/passwd"), fmt.Sprintf("%064s", "/../tmp/x"), b.Hash[:63] + "\x00", sum([]byte("absent"))} {
		c, err := s.Open(t.Context(), name)
		if !errdefs.Is(err, errdefs.NotFound) {
			t.Errorf("%q: %v, %v", name, c, err)
		}
		must(t, s.Remove(t.Context(), name, time.Now().Add(time.Hour)))
	}
	if len(read(t, s, b.Hash)) != 9 {
		t.Error("the blob is gone")
	}
}

func remove(t *testing.T, s blob.Store) {
	b := put(t, s, Some(9))
	// It was put later than that.
	must(t, s.Remove(t.Context(), b.Hash, time.Now().Add(-time.Minute)))
	read(t, s, b.Hash)
	c, err := s.Open(t.Context(), b.Hash)
	must(t, err)
	defer c.Close()
	must(t, s.Remove(t.Context(), b.Hash, time.Now().Add(time.Minute)))
	must(t, s.Remove(t.Context(), b.Hash, time.Now().Add(time.Minute)))
	if _, err := s.Open(t.Context(), b.Hash); !errdefs.Is(err, errdefs.NotFound) {
		t.Errorf("got %v", err)
	}
	if got, err := io.ReadAll(c); err != nil || len(got) != 9 {
		t.Errorf("who reads it reads %d bytes, %v", len(got), err)
	}
	isEmpty(t, s)
}

func each(t *testing.T, s blob.Store) {
	want := map[string]int64{}
	for _, n := range []int{0, 1, block, block + 1, 5 * block} {
		want[put(t, s, Some(n)).Hash] = int64(n)
	}
	got := hashes(t, s)
	for h, n := range want {
		if got[h] != n {
			t.Errorf("%s has %d bytes, want %d", h, got[h], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d blobs, want %d", len(got), len(want))
	}
	stop := errors.New("stop")
	seen := 0
	if err := s.Each(t.Context(), func(blob.Blob, time.Time) error { seen++; return stop }); !errors.Is(err, stop) || seen != 1 {
		t.Errorf("%d calls, %v", seen, err)
	}
}

// atOnce puts and removes the same bytes from many sides: who put last finds
// them.
func atOnce(t *testing.T, s blob.Store) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			b := Some(70_000 + i%2)
			for range 20 {
				before := time.Now().Add(-time.Second)
				if _, err := s.Put(t.Context(), bytes.NewReader(b), 1<<20); err != nil {
					t.Error(err)
					return
				}
				if err := s.Remove(t.Context(), sum(b), before); err != nil {
					t.Error(err)
				}
				c, err := s.Open(t.Context(), sum(b))
				if err != nil {
					t.Errorf("after a put: %v", err)
					return
				}
				if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, b) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				_ = c.Close()
			}
		})
	}
	all.Wait()
	if n := len(hashes(t, s)); n != 2 {
		t.Errorf("%d blobs", n)
	}
}

func reads(t *testing.T, s blob.Store) {
	b := Some(3*block + 1000)
	put(t, s, b)
	c, err := s.Open(t.Context(), sum(b))
	must(t, err)
	defer c.Close()
	must(t, iotest.TestReader(c, b))
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		from, n := r.IntN(len(b)+10), r.IntN(2*block)
		got := make([]byte, n)
		m, err := c.ReadAt(got, int64(from))
		want := b[min(from, len(b)):min(from+n, len(b))]
		if !bytes.Equal(got[:m], want) || (m < n) != errors.Is(err, io.EOF) {
			t.Fatalf("%d bytes at %d: %d, %v", n, from, m, err)
		}
	}
	if end, err := c.Seek(0, io.SeekEnd); err != nil || end != int64(len(b)) {
		t.Errorf("ends at %d, %v", end, err)
	}
	if _, err := c.Seek(-1, io.SeekStart); err == nil {
		t.Error("before the beginning is no place")
	}
}

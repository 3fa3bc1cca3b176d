package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Whoever asks after something was revoked never gets what was before, however
// loads, drops and other readers fall together.
func TestCacheNeverResurrects(t *testing.T) {
	t.Parallel()
	c := newCache[string, int64](parts, shardOfString)
	var truth atomic.Int64 // the database
	var wg sync.WaitGroup
	done := make(chan struct{})
	read := func(context.Context) (int64, error) { return truth.Load(), nil }
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, ok := c.get("k"); !ok {
					_, _ = c.load(context.Background(), "k", read)
				}
			}
		})
	}
	for range 2_000 {
		now := truth.Add(1)
		c.drop("k")
		v, ok := c.get("k")
		if !ok {
			v, _ = c.load(context.Background(), "k", read)
		}
		if v < now {
			t.Errorf("%d came back after %d was written", v, now)
			break
		}
	}
	close(done)
	wg.Wait()
}

// A load that was under way when its subject changed answers those who asked
// before and nobody else.
func TestCacheLoadAcrossDrop(t *testing.T) {
	t.Parallel()
	c := newCache[string, string](parts, shardOfString)
	began, finish := make(chan struct{}), make(chan struct{})
	first := make(chan string)
	go func() {
		v, _ := c.load(context.Background(), "k", func(context.Context) (string, error) {
			close(began)
			<-finish
			return "old", nil
		})
		first <- v
	}()
	<-began
	c.drop("k")
	v, err := c.load(context.Background(), "k", func(context.Context) (string, error) { return "new", nil })
	if v != "new" || err != nil {
		t.Errorf("after the change: %q, %v", v, err)
	}
	close(finish)
	if v := <-first; v != "old" {
		t.Errorf("before the change: %q", v)
	}
	if v, _ := c.get("k"); v != "new" {
		t.Errorf("kept: %q", v)
	}
}

func TestCacheReadsOnce(t *testing.T) {
	t.Parallel()
	c := newCache[string, string](parts, shardOfString)
	var reads atomic.Int32
	release := make(chan struct{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			v, err := c.load(context.Background(), "k", func(context.Context) (string, error) {
				reads.Add(1)
				<-release
				return "v", nil
			})
			if v != "v" || err != nil {
				t.Errorf("%q, %v", v, err)
			}
		})
	}
	for reads.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	if n := reads.Load(); n != 1 {
		t.Errorf("read %d times", n)
	}
}

// Who waits for another's read can leave; who began it may leave too, and the
// others still get it.
func TestCacheWaitersLeave(t *testing.T) {
	t.Parallel()
	c := newCache[string, string](parts, shardOfString)
	ctx, leave := context.WithCancel(context.Background())
	began, finish := make(chan struct{}), make(chan struct{})
	result := make(chan error)
	go func() {
		_, err := c.load(ctx, "k", func(ctx context.Context) (string, error) {
			close(began)
			<-finish
			return "v", ctx.Err()
		})
		result <- err
	}()
	<-began
	leave()
	if _, err := c.load(ctx, "k", nil); !errors.Is(err, context.Canceled) {
		t.Error("the waiter:", err)
	}
	close(finish)
	if err := <-result; err != nil {
		t.Error("the read was given up:", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newCache[string, int](parts*2, shardOfString)
	for i := range 10_000 {
		_, _ = c.load(context.Background(), fmt.Sprint(i), func(context.Context) (int, error) { return i, nil })
	}
	n := 0
	for i := range c.parts {
		n += len(c.parts[i].values)
		if len(c.parts[i].flights) != 0 {
			t.Error("a load was left behind")
		}
	}
	if n > parts*2 {
		t.Errorf("%d values are kept", n)
	}
	c.reset()
	if _, ok := c.get("9999"); ok {
		t.Error("a value outlived the reset")
	}
}

// A key that is made while the answer "no such key" is on its way is not hidden by it.
func TestMissesForget(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	m := newMisses(func() time.Time { return now })
	h := hashKey("sk-x")
	mark := m.mark()
	m.forget(h)
	m.add(h, mark)
	if m.has(h) {
		t.Error("a miss from before the key was made is kept")
	}
	m.add(h, m.mark())
	if !m.has(h) {
		t.Error("a miss is not kept")
	}
	now = now.Add(missSeconds * time.Second)
	if m.has(h) {
		t.Error("a miss is kept for ever")
	}
	for i := range maxMisses * 2 {
		m.add(hashKey(fmt.Sprint(i)), m.mark())
	}
	if len(m.until) > maxMisses {
		t.Errorf("%d misses are kept", len(m.until))
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := newRate(Limit{}, Limit{N: 3, Per: time.Minute}, func() time.Time { return now })
	for i, want := range []time.Duration{0, 0, 0, 20 * time.Second, 20 * time.Second} {
		if got := r.take("a"); got != want {
			t.Errorf("event %d waits %v, want %v", i, got, want)
		}
	}
	if r.take("b") != 0 {
		t.Error("names share an allowance")
	}
	r.give("a")
	if r.take("a") != 0 {
		t.Error("what was given back is not there")
	}
	now = now.Add(20 * time.Second)
	if r.take("a") != 0 || r.take("a") == 0 {
		t.Error("a third of the time does not pay back a third")
	}
	if off := newRate(Limit{N: -1}, Limit{N: 1, Per: time.Hour}, nil); off.take("a") != 0 || off.take("a") != 0 {
		t.Error("no limit is one")
	}
	for i := range maxNames + 1000 {
		r.take(fmt.Sprint(i))
	}
	if len(r.full) > maxNames {
		t.Errorf("%d names are kept", len(r.full))
	}
}

// Who has no account is compared with a hash that costs what real ones cost.
func TestDummyCostsTheSame(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{argon2id, bcrypted} {
		h, err := newHasher(Hashing{Algorithm: algorithm, MemoryKiB: 64, Passes: 2, Cost: 5}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		genuine, err := h.hash(context.Background(), "a password")
		if err != nil {
			t.Fatal(err)
		}
		dummy, err := h.dummy()
		if err != nil {
			t.Fatal(err)
		}
		i := strings.LastIndexByte(genuine[:len(genuine)-45], '$') // what comes after is salt and sum
		if dummy[:i] != genuine[:i] || len(dummy) != len(genuine) {
			t.Errorf("%s: %s beside %s", algorithm, dummy, genuine)
		}
		if ok, weak, err := h.verify(context.Background(), dummy, "a password"); ok || weak || err != nil {
			t.Errorf("%s: %v %v %v", algorithm, ok, weak, err)
		}
	}
	if err := bcrypt.CompareHashAndPassword([]byte("$2a$05$"+strings.Repeat("0", 53)), []byte("x")); !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		t.Error("a dummy of bcrypt is not compared:", err)
	}
}

func TestAddressesOfOneNetwork(t *testing.T) {
	t.Parallel()
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff:1")
	c, d := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	if nameOf(a) != nameOf(b) || nameOf(c) == nameOf(d) || nameOf(netip.Addr{}) == "" {
		t.Error(nameOf(a), nameOf(b), nameOf(c), nameOf(d))
	}
}

// No use is lost between flushes, and none is written twice.
func TestTouches(t *testing.T) {
	t.Parallel()
	var l touches
	things := make([]touch, 8)
	for i := range things {
		things[i].id = fmt.Sprint(i)
	}
	var wg sync.WaitGroup
	for i := range things {
		wg.Go(func() {
			for at := int64(1); at <= 2000; at++ {
				l.use(&things[i], at)
			}
		})
	}
	last := map[string]int64{}
	stop := make(chan struct{})
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		for {
			for id, at := range l.take() {
				last[id] = max(last[id], at)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	wg.Wait()
	close(stop)
	<-collected
	for id, at := range l.take() {
		last[id] = max(last[id], at)
	}
	for i := range things {
		if last[things[i].id] != 2000 {
			t.Errorf("the last use of %d is %d", i, last[things[i].id])
		}
	}
	if l.take() != nil {
		t.Error("something is left")
	}
}

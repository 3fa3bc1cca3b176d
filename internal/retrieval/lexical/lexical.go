package lexical

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"portico/internal/retrieval/index"
)

// ErrBroken says that a file of the index turned out damaged. What it held was
// thrown away and has to be added again. So that nothing goes on where it was,
// the next Add fails with this, too; whoever adds then asks for Seq, which is 0,
// and begins there. Until then nothing is found.
var ErrBroken = errors.New("lexical: a file of the index is damaged; it has to be made anew from the database")

// ErrClosed says that the index was closed.
var ErrClosed = errors.New("lexical: the index is closed")

// Options of an index; zero values choose.
type Options struct {
	// Memory bounds, in bytes, what is kept before it is written to disk: 16 MiB.
	Memory int
	// Idle is how long after the last set what is in memory is written: 5 s.
	Idle time.Duration
}

// Index is an inverted index in a folder. Its methods may be called at once
// from many goroutines.
//
// It is a list of segments, which never change. A set becomes a small one in
// memory; small ones are merged into larger ones as they come, and written when
// they are many; files are merged in the background.
type Index struct {
	dir, instance string
	opt           Options
	small         int // smallScope, less in tests
	builders      sync.Pool
	searchers     sync.Pool
	wake          chan struct{}   // to the flusher
	full          chan struct{}   // to the merger
	life          context.Context // of the work in the background
	stop          context.CancelFunc
	work          sync.WaitGroup

	writing sync.Mutex // what is in memory to disk
	tidying sync.Mutex // merging in memory, or choosing what to write
	filing  sync.Mutex // writing, merging and compacting files' manifest

	mu       sync.Mutex
	room     *sync.Cond // memory was freed, or writing failed
	segments []*segment
	memory   int
	adding   map[int64]int // sequence numbers on their way in
	reached  int64         // the greatest that was added
	seq      int64         // what the manifest says
	next     int
	fault    error // why the last writing failed
	closed   bool
	broken   bool
	told     bool // whoever adds knows that it is broken
	wiped    bool // and nothing is left of it
	times    int  // how often it was broken
}

// Open opens the index in dir, or makes one. What is there but is damaged, or
// belongs to another instance, is thrown away.
func Open(dir, instance string, opt Options) (*Index, error) {
	if opt.Memory <= 0 {
		opt.Memory = 16 << 20
	}
	if opt.Idle <= 0 {
		opt.Idle = 5 * time.Second
	}
	ix := &Index{
		dir: dir, instance: instance, opt: opt, small: smallScope, adding: map[int64]int{},
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1),
	}
	ix.room = sync.NewCond(&ix.mu)
	ix.builders.New = func() any { return newBuilder() }
	ix.searchers.New = func() any { return newSearcher() }
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lexical: the folder cannot be made: %w", err)
	}
	m, segments, err := openFolder(dir, instance)
	if errors.Is(err, errForeign) || errors.Is(err, ErrBroken) {
		m, segments, err = &manifest{}, nil, clean(dir, func(string) bool { return false })
	}
	if err != nil {
		return nil, fmt.Errorf("lexical: the folder cannot be read: %w", err)
	}
	ix.segments, ix.seq, ix.next, ix.reached = segments, m.Seq, m.Next, m.Seq
	named := map[string]bool{manifestName: true}
	for _, e := range m.Segments {
		named[e.Name] = true
	}
	if err := clean(dir, func(name string) bool { return named[name] }); err != nil {
		return nil, fmt.Errorf("lexical: the folder cannot be tidied: %w", err)
	}
	ix.life, ix.stop = context.WithCancel(context.Background())
	ix.work.Go(func() { ix.keepWriting(ix.life) })
	ix.work.Go(func() { ix.keepMerging(ix.life) })
	return ix, nil
}

// Seq implements retrieval.Lexical.
func (ix *Index) Seq() int64 {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.broken && ix.told && ix.wiped {
		ix.broken, ix.told, ix.wiped = false, false, false
	}
	return ix.seq
}

// Add implements retrieval.Lexical. Sets come in the order of their sequence
// numbers: what begins to be added after a greater one may be missing after a
// crash. It waits while more is in memory than may be.
func (ix *Index) Add(ctx context.Context, set, seq int64, chunks []index.Text) error {
	if len(chunks) > maxDocs {
		return fmt.Errorf("lexical: a set of %d chunks is more than an index takes", len(chunks))
	}
	known, times, err := ix.announce(ctx, set, seq)
	if err == nil && !known {
		b := ix.builders.Get().(*builder)
		s := b.build(set, seq, chunks)
		ix.builders.Put(b)
		err = ix.admit(s, set, seq, times)
	}
	switch {
	case errors.Is(err, ErrBroken):
		ix.discard()
	case err == nil && !known:
		ix.tidy(ctx)
	}
	return err
}

// announce notes that a set is on its way, once there is room. It gives how
// often the index was broken before.
func (ix *Index) announce(ctx context.Context, set, seq int64) (known bool, times int, err error) {
	defer context.AfterFunc(ctx, func() {
		ix.mu.Lock()
		defer ix.mu.Unlock()
		ix.room.Broadcast()
	})()
	ix.mu.Lock()
	defer ix.mu.Unlock()
	for {
		switch {
		case ix.broken:
			ix.told = true
			return false, 0, ErrBroken
		case ix.closed:
			return false, 0, ErrClosed
		case ctx.Err() != nil:
			return false, 0, ctx.Err()
		}
		if known, err := ix.has(set); known || err != nil {
			ix.reached = max(ix.reached, seq)
			return known, 0, err
		}
		switch {
		case ix.memory < 2*ix.opt.Memory:
			ix.adding[seq]++
			return false, ix.times, nil
		case ix.fault != nil:
			return false, 0, fmt.Errorf("lexical: the index cannot be written: %w", ix.fault)
		}
		ix.room.Wait()
	}
}

// admit makes a segment visible.
func (ix *Index) admit(s *segment, set, seq int64, times int) error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.adding[seq]--; ix.adding[seq] <= 0 {
		delete(ix.adding, seq)
	}
	switch {
	case ix.times != times:
		ix.told = true
		return ErrBroken
	case ix.closed:
		return ErrClosed
	}
	known, err := ix.has(set)
	if err != nil {
		return err
	}
	ix.reached = max(ix.reached, seq)
	if s.docs > 0 && !known {
		ix.segments = append(ix.segments, s)
		ix.memory += len(s.data)
	}
	poke(ix.wake)
	return nil
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (ix *Index) has(set int64) (known bool, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(&err)
	for _, s := range ix.segments {
		if !s.ready() {
			return false, ErrBroken
		}
		if _, ok := s.set(set); ok {
			return true, nil
		}
	}
	return false, nil
}

// acquire gives the segments as they are now, appended to a list; release gives
// them back.
func (ix *Index) acquire(to []*segment) ([]*segment, error) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	switch {
	case ix.broken:
		return to, ErrBroken
	case ix.closed:
		return to, ErrClosed
	}
	for _, s := range ix.segments {
		s.hold()
	}
	return append(to, ix.segments...), nil
}

// release gives segments back, and reports damage that was found in them.
func (ix *Index) release(segments []*segment) error {
	broken := false
	for _, s := range segments {
		broken = broken || s.broken.Load()
		s.drop()
	}
	if !broken {
		return nil
	}
	ix.discard()
	return ErrBroken
}

// discard throws away what a damaged index held.
func (ix *Index) discard() {
	ix.mu.Lock()
	first := !ix.broken
	old := ix.segments
	if first {
		ix.broken, ix.told, ix.wiped = true, false, false
		ix.times++
		ix.segments, ix.memory, ix.seq, ix.reached, ix.fault = nil, 0, 0, 0, nil
		ix.room.Broadcast()
	}
	ix.mu.Unlock()
	if !first {
		return
	}
	for _, s := range old {
		s.drop()
	}
	ix.filing.Lock()
	defer ix.filing.Unlock()
	_ = clean(ix.dir, func(string) bool { return false }) // what stays is not used without a manifest, or is noticed again
	ix.mu.Lock()
	ix.wiped = true
	ix.mu.Unlock()
}

// Close writes what is only in memory and ends the work in the background.
func (ix *Index) Close() error {
	ix.mu.Lock()
	if ix.closed {
		ix.mu.Unlock()
		return nil
	}
	ix.closed = true
	ix.room.Broadcast()
	ix.mu.Unlock()
	ix.stop()
	ix.work.Wait()
	err := ix.flush(context.Background())
	ix.mu.Lock()
	old := ix.segments
	ix.segments = nil
	ix.mu.Unlock()
	for _, s := range old {
		s.drop()
	}
	return err
}

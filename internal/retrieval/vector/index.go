package vector

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// ErrBroken says that a file of the index turned out damaged while it was in
// use: Seq is 0 then, and nothing is found. So that nothing goes on where it
// was, the next Add throws everything away and fails with this, too; whoever
// adds begins at 0 again.
var ErrBroken = errors.New("vector: a file of the index is damaged; it has to be made anew from the database")

// ErrClosed says that the index was closed.
var ErrClosed = errors.New("vector: the index is closed")

func (o Options) withDefaults() Options {
	if o.Memory <= 0 {
		o.Memory = 8192
	}
	if o.Candidates <= 0 {
		o.Candidates = 3000
	}
	if o.Cores <= 0 {
		o.Cores = runtime.GOMAXPROCS(0)
	}
	return o
}

// maxDims bounds the dimensions of a vector: distances are counted in 16 bits.
const maxDims = 32768

// Options of an index; zero values choose.
type Options struct {
	// Memory is how many vectors are kept before they are written: 8,192. What
	// is in memory alone is asked for again after a crash.
	Memory int
	// Candidates is how many vectors of a large scope are looked at closer, at
	// least: 3,000. More find more, and cost more.
	Candidates int
	// Cores bounds how many search one question: GOMAXPROCS.
	Cores int
}

// Index is an index in a folder. Its methods may be called at once from many
// goroutines; it has none of its own.
type Index struct {
	dir, instance string
	opt           Options
	busy          atomic.Int32 // searches in hand
	scratch       sync.Pool    // *search

	// writing is held by whoever changes anything, files included: one at a time.
	writing sync.Mutex
	broken  atomic.Bool // a file is damaged; not yet thrown away
	next    int         // number of the last file
	reached int64       // the greatest sequence that was added

	// mu is held to read by a search as long as it lasts: what it looks at is
	// not unmapped, and nothing is added, meanwhile. Writers hold it for moments.
	mu       sync.RWMutex
	segments []*segment
	fresh    map[string]*part // in memory, by space
	seq      int64            // everything up to it is on disk
	closed   bool
}

// Open opens the index in dir, or makes one. What is there but is damaged, or
// belongs to another instance, is thrown away: Seq is 0 then.
func Open(dir, instance string, opt Options) (*Index, error) {
	x := &Index{dir: dir, instance: instance, opt: opt.withDefaults(), fresh: make(map[string]*part)}
	x.scratch.New = func() any { return new(search) }
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("vector: the folder cannot be made: %w", err)
	}
	m, err := readManifest(dir, instance)
	if err == nil {
		err = x.load(m)
	}
	if errors.Is(err, ErrBroken) {
		m, err = nil, nil
	}
	if err == nil {
		err = sweep(dir, m)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("vector: the index cannot be opened: %w", err), x.unload())
	}
	return x, nil
}

// load opens the files of a manifest: all or none.
func (x *Index) load(m *manifest) error {
	for _, name := range m.Segments {
		s, err := openSegment(filepath.Join(x.dir, name), name)
		if err != nil {
			return errors.Join(err, x.unload())
		}
		x.segments = append(x.segments, s)
		var n int
		if _, err := fmt.Sscanf(name, "%d"+suffix, &n); err == nil {
			x.next = max(x.next, n)
		}
	}
	x.seq, x.reached = m.Seq, m.Seq
	return nil
}

func (x *Index) unload() error {
	var errs []error
	for _, s := range x.segments {
		errs = append(errs, s.close())
	}
	x.segments = nil
	return errors.Join(errs...)
}

// Close writes what is in memory and lets go of the files.
func (x *Index) Close() error {
	x.writing.Lock()
	defer x.writing.Unlock()
	if x.closed {
		return nil
	}
	var err error
	if x.broken.Load() {
		err = remove(filepath.Join(x.dir, manifestName))
	} else {
		err = x.flush()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed, x.fresh = true, nil
	return errors.Join(err, x.unload())
}

// Seq is the sequence number up to which everything is on disk.
func (x *Index) Seq() int64 {
	if x.broken.Load() {
		return 0
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.seq
}

// Add makes the vectors of a set, of length 1, findable before it returns.
// Adding one again does nothing. Sets have to come in the order of their
// sequence, or a crash may lose one that came late. An error leaves the set
// findable or not; adding it again is right.
func (x *Index) Add(ctx context.Context, set, seq int64, space string, dims int, vectors []float32) error {
	if dims <= 0 || dims > maxDims || len(vectors)%dims != 0 {
		return fmt.Errorf("vector: %d values are no vectors of %d dimensions", len(vectors), dims)
	}
	x.writing.Lock()
	defer x.writing.Unlock()
	if x.broken.Load() && !x.closed {
		return errors.Join(ErrBroken, x.wipe())
	}
	return x.add(ctx, set, seq, space, dims, vectors)
}

// add is Add for a writer.
func (x *Index) add(ctx context.Context, set, seq int64, space string, dims int, vectors []float32) (err error) {
	defer x.note(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(&err)
	if err := errors.Join(x.usable(), ctx.Err()); err != nil {
		return err
	}
	if !x.has(set) && len(vectors) > 0 {
		e, ok := encode(shapeOf(dims), vectors)
		if !ok {
			return errors.New("vector: a vector holds something else than finite numbers")
		}
		p := x.fresh[space]
		if p == nil {
			p = newPart(space, dims)
		}
		if p.dims != dims {
			return fmt.Errorf("vector: a vector of %d dimensions in a space of %d", dims, p.dims)
		}
		x.mu.Lock()
		x.fresh[space] = p
		p.add(set, e)
		x.mu.Unlock()
	}
	x.reached = max(x.reached, seq)
	if x.waiting() < x.opt.Memory {
		return nil
	}
	if err := x.flush(); err != nil {
		return fmt.Errorf("vector: the index cannot be written: %w", err)
	}
	return x.mergeAll(ctx)
}

// note remembers damage, for the next Add.
func (x *Index) note(err *error) {
	if errors.Is(*err, ErrBroken) {
		x.broken.Store(true)
	}
}

// wipe throws everything away; nothing is damaged then.
func (x *Index) wipe() error {
	err := remove(filepath.Join(x.dir, manifestName)) // first: without it the rest is nothing
	if err != nil {
		return err
	}
	x.mu.Lock()
	old := x.segments
	x.segments, x.fresh = nil, make(map[string]*part)
	x.seq, x.reached = 0, 0
	x.mu.Unlock()
	x.broken.Store(false)
	return x.discard(old)
}

// usable tells a writer whether the index takes changes.
func (x *Index) usable() error {
	switch {
	case x.closed:
		return ErrClosed
	case x.broken.Load():
		return ErrBroken
	}
	return nil
}

// has reports whether a set is there already. Only a writer asks.
func (x *Index) has(set int64) bool {
	for _, p := range x.fresh {
		if _, ok := p.find(set); ok {
			return true
		}
	}
	for _, s := range x.segments {
		if _, ok := s.find(set); ok {
			return true
		}
	}
	return false
}

// waiting is how many vectors are in memory alone.
func (x *Index) waiting() (n int) {
	for _, p := range x.fresh {
		n += p.n
	}
	return n
}

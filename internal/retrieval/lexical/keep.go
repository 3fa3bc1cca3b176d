package lexical

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"time"

	"portico/internal/retrieval/index"
)

// Segments of about the same size are merged when there are so many of them: the
// bits of the number of chunks say what is about the same.
const (
	inMemory, memoryBits = 8, 3
	inFiles, fileBits    = 4, 2
	writeBuffer          = 256 << 10
)

// tidy merges segments in memory until there are few of each size.
func (ix *Index) tidy(ctx context.Context) {
	ix.tidying.Lock()
	defer ix.tidying.Unlock()
	for ctx.Err() == nil {
		alike, _ := ix.choose(inMemory, memoryBits, func(s *segment) bool { return s.name == "" })
		if alike == nil {
			return
		}
		var out bytes.Buffer
		var merged *segment
		if merge(ctx, &out, alike, nil) == nil {
			merged, _ = openSegment(out.Bytes(), true)
		}
		if !ix.replace(alike, merged) {
			return
		}
	}
}

// choose takes segments of about one size, once there are enough of them, and
// marks them.
func (ix *Index) choose(enough, size int, want func(*segment) bool) (alike []*segment, times int) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	tiers := map[int][]*segment{}
	for _, s := range ix.segments {
		if !s.busy && want(s) {
			tier := bits.Len(uint(s.docs)) / size
			tiers[tier] = append(tiers[tier], s)
		}
	}
	for _, alike := range tiers {
		if len(alike) >= enough && chunks(alike) <= maxDocs {
			claim(alike)
			return alike, ix.times
		}
	}
	return nil, 0
}

// claim keeps segments for whoever works on them.
func claim(segments []*segment) {
	for _, s := range segments {
		s.busy = true
		s.hold()
	}
}

func chunks(segments []*segment) (n int) {
	for _, s := range segments {
		n += s.docs
	}
	return n
}

// replace puts one segment in the place of others that were marked; where it is
// nil, the work failed and they stay. It reports whether it did.
func (ix *Index) replace(old []*segment, by *segment) bool {
	ix.mu.Lock()
	done := by != nil && slices.Contains(ix.segments, old[0]) // not discarded meanwhile
	if done {
		ix.segments = slices.DeleteFunc(ix.segments, func(s *segment) bool { return slices.Contains(old, s) })
		if by.docs > 0 {
			ix.segments = append(ix.segments, by)
		}
		ix.memory = 0
		for _, s := range ix.segments {
			if s.name == "" {
				ix.memory += len(s.data)
			}
		}
		ix.room.Broadcast()
	}
	for _, s := range old {
		s.busy = false
	}
	ix.mu.Unlock()
	for _, s := range old {
		s.drop() // of whoever worked
		if done {
			s.drop() // of the list
		}
	}
	if !done && by != nil || done && by.docs == 0 {
		by.drop()
	}
	return done
}

// keepWriting writes what is in memory when it is much, or when nothing has come
// for a while.
func (ix *Index) keepWriting(ctx context.Context) {
	idle := time.NewTimer(ix.opt.Idle)
	defer idle.Stop()
	for {
		due := false
		select {
		case <-ctx.Done():
			return
		case <-ix.wake:
			idle.Reset(ix.opt.Idle)
			ix.mu.Lock()
			due = ix.memory >= ix.opt.Memory
			ix.mu.Unlock()
		case <-idle.C:
			due = true
		}
		if due && ix.flush(ctx) != nil {
			idle.Reset(ix.opt.Idle) // once more
		}
	}
}

// flush writes the segments in memory as one file. Seq grows to what is in it.
func (ix *Index) flush(ctx context.Context) error {
	ix.writing.Lock() // what is in memory is written once
	defer ix.writing.Unlock()
	ix.tidying.Lock()
	ix.mu.Lock()
	var taken []*segment
	for _, s := range ix.segments {
		if s.name == "" {
			taken = append(taken, s)
		}
	}
	claim(taken)
	seq := ix.reached
	for other := range ix.adding {
		seq = min(seq, other-1)
	}
	nothing := len(taken) == 0 && seq <= ix.seq || ix.broken
	times := ix.times
	ix.mu.Unlock()
	ix.tidying.Unlock()
	if nothing {
		ix.replace(taken, nil)
		return nil
	}
	err := ix.file(ctx, taken, nil, seq, times)
	if ctx.Err() == nil {
		ix.mu.Lock()
		ix.fault = err
		ix.room.Broadcast()
		ix.mu.Unlock()
	}
	return err
}

// file merges segments that were marked into a file that takes their place, and
// notes in the manifest that everything up to seq is on disk, unless the index
// was found broken since it had been so as many times.
func (ix *Index) file(ctx context.Context, old []*segment, keep func(int64) bool, seq int64, times int) error {
	by, err := ix.writeSegment(ctx, old, keep)
	if err != nil && len(old) > 0 {
		ix.replace(old, nil)
		if errors.Is(err, ErrBroken) {
			ix.discard()
		}
		return err
	}
	ix.filing.Lock()
	defer ix.filing.Unlock()
	var names []string
	for _, s := range old {
		if s.name != "" {
			names = append(names, s.name)
		}
	}
	if by != nil && !ix.replace(old, by) {
		return ErrBroken
	}
	if err := ix.save(seq, times); err != nil {
		return err
	}
	if by != nil && by.docs == 0 {
		names = append(names, by.name)
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(ix.dir, name)); err != nil {
			return fmt.Errorf("lexical: an old file cannot be removed: %w", err)
		}
	}
	poke(ix.full)
	return nil
}

func (ix *Index) writeSegment(ctx context.Context, old []*segment, keep func(int64) bool) (*segment, error) {
	if len(old) == 0 {
		return nil, nil
	}
	ix.mu.Lock()
	name := fmt.Sprintf("%08d%s", ix.next, segmentExt)
	ix.next++
	ix.mu.Unlock()
	path := filepath.Join(ix.dir, name)
	err := writeFile(path, func(f *os.File) error {
		out := bufio.NewWriterSize(f, writeBuffer)
		if err := merge(ctx, out, old, keep); err != nil {
			return err
		}
		return out.Flush()
	})
	if err != nil {
		return nil, err
	}
	return openFile(ix.dir, name)
}

// save writes the manifest. The caller holds filing.
func (ix *Index) save(seq int64, times int) error {
	ix.mu.Lock()
	m := &manifest{Instance: ix.instance, Analyser: analyserVersion, Seq: max(seq, ix.seq), Next: ix.next}
	for _, s := range ix.segments {
		if s.name != "" {
			m.Segments = append(m.Segments, manifestEntry{s.name, int64(len(s.data)), s.FootSum})
		}
	}
	broken := ix.times != times
	ix.mu.Unlock()
	if broken {
		return ErrBroken
	}
	if err := writeManifest(ix.dir, m); err != nil {
		return fmt.Errorf("lexical: the manifest cannot be written: %w", err)
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.times == times {
		ix.seq = m.Seq
	}
	return nil
}

// keepMerging merges files until there are few of each size.
func (ix *Index) keepMerging(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ix.full:
		}
		for ctx.Err() == nil {
			alike, times := ix.choose(inFiles, fileBits, func(s *segment) bool { return s.name != "" })
			if alike == nil || ix.file(ctx, alike, nil, 0, times) != nil {
				break // what failed is tried again after the next file
			}
		}
	}
}

// Compact implements retrieval.Compacter. It writes anew, whole, the files with
// sets that are no longer there.
func (ix *Index) Compact(ctx context.Context, live func(context.Context, []int64) (index.Scope, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ix.life, cancel)()
	ix.mu.Lock()
	if ix.closed {
		ix.mu.Unlock()
		return ErrClosed
	}
	ix.work.Add(1) // Close waits for it
	ix.mu.Unlock()
	defer ix.work.Done()
	if err := ix.flush(ctx); err != nil {
		return err
	}
	held, err := ix.acquire(nil)
	if err != nil {
		return err
	}
	for _, s := range held {
		if err == nil && s.name != "" && s.ready() {
			err = ix.compact(ctx, s, live)
		}
	}
	err = errors.Join(err, ix.release(held))
	if errors.Is(err, ErrBroken) {
		ix.discard()
	}
	return err
}

func (ix *Index) compact(ctx context.Context, s *segment, live func(context.Context, []int64) (index.Scope, error)) error {
	ids, err := s.allSets()
	if err != nil {
		return err
	}
	alive, err := live(ctx, slices.Clone(ids))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(ids, func(id int64) bool { return !alive.Has(id) }) {
		return nil
	}
	ix.mu.Lock()
	free := !s.busy && slices.Contains(ix.segments, s)
	if free {
		claim([]*segment{s})
	}
	times := ix.times
	ix.mu.Unlock()
	if !free {
		return nil // it is being merged: the next time
	}
	return ix.file(ctx, []*segment{s}, alive.Has, 0, times)
}

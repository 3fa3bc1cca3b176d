package vector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"portico/internal/retrieval/index"
)

// fanIn is how many segments of about one size become one: each vector is
// written again once for every fourfold growth.
const fanIn = 4

// flush writes what is in memory. Everything that was added is then on disk.
func (x *Index) flush() error {
	if len(x.fresh) == 0 && x.reached == x.seq {
		return nil
	}
	var made []*segment
	for _, p := range x.fresh {
		s, err := x.make(p.space, p.shape, sourcesOf(p))
		if err != nil {
			return errors.Join(err, x.discard(made))
		}
		made = append(made, s)
	}
	return x.replace(nil, made, func() { x.fresh = make(map[string]*part) })
}

func sourcesOf(p *part) []source {
	all := make([]source, len(p.sets))
	for i := range all {
		all[i] = source{p, i}
	}
	return all
}

// make writes a segment of these sets and opens it.
func (x *Index) make(space string, s shape, sets []source) (*segment, error) {
	slices.SortFunc(sets, func(a, b source) int { return cmp.Compare(a.sets[a.set], b.sets[b.set]) })
	x.next++
	name := fmt.Sprintf("%08d"+suffix, x.next)
	path := filepath.Join(x.dir, name)
	err := writeSegment(path, space, s, sets)
	if err == nil {
		var made *segment
		if made, err = openSegment(path, name); err == nil {
			return made, nil
		}
	}
	return nil, errors.Join(err, remove(path))
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// discard forgets segments, and their files.
func (x *Index) discard(all []*segment) error {
	var errs []error
	for _, s := range all {
		errs = append(errs, s.close(), remove(filepath.Join(x.dir, s.name)))
	}
	return errors.Join(errs...)
}

// replace puts made in place of old, first on disk and then for searches; with
// also changes what else does in the same moment.
func (x *Index) replace(old, made []*segment, also func()) error {
	segments := slices.DeleteFunc(slices.Clone(x.segments), func(s *segment) bool { return slices.Contains(old, s) })
	segments = append(segments, made...)
	m := manifest{Instance: x.instance, Seq: x.seq, Segments: []string{}}
	if also != nil {
		m.Seq = x.reached
	}
	for _, s := range segments {
		m.Segments = append(m.Segments, s.name)
	}
	if err := m.write(x.dir); err != nil {
		// Which of the two manifests a crash would find is not known: the files of
		// both stay, and the next start removes what is left over.
		for _, s := range made {
			err = errors.Join(err, s.close())
		}
		return err
	}
	x.mu.Lock()
	x.segments, x.seq = segments, m.Seq
	if also != nil {
		also()
	}
	x.mu.Unlock()
	// No search that began before has the old ones any more.
	return x.discard(old)
}

// mergeAll merges until no four segments of a space are of about one size.
func (x *Index) mergeAll(ctx context.Context) error {
	for {
		group := x.mergeable()
		if group == nil || ctx.Err() != nil {
			return nil
		}
		if err := x.rewrite(group, nil); err != nil {
			return err
		}
	}
}

func (x *Index) mergeable() []*segment {
	type class struct {
		space string
		size  int
	}
	groups := make(map[class][]*segment)
	for _, s := range x.segments {
		c := class{s.space, bits.Len(uint(s.n)) / 2}
		groups[c] = append(groups[c], s)
		if len(groups[c]) == fanIn {
			return groups[c]
		}
	}
	return nil
}

// rewrite makes one segment of some, without the sets that dead holds. Damage
// is not carried on.
func (x *Index) rewrite(group []*segment, dead map[int64]bool) error {
	var sets []source
	for _, s := range group {
		if err := s.verify(); err != nil {
			return err
		}
		for _, src := range sourcesOf(&s.part) {
			if !dead[s.sets[src.set]] {
				sets = append(sets, src)
			}
		}
	}
	var made []*segment
	if len(sets) > 0 {
		s, err := x.make(group[0].space, group[0].shape, sets)
		if err != nil {
			return err
		}
		made = []*segment{s}
	}
	return x.replace(group, made, nil)
}

// Compact implements retrieval.Compacter. It writes anew, whole, the files with
// sets that are no longer there.
func (x *Index) Compact(ctx context.Context, live func(context.Context, []int64) (index.Scope, error)) (err error) {
	x.writing.Lock()
	defer x.writing.Unlock()
	defer x.note(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(&err)
	if err := errors.Join(x.usable(), ctx.Err()); err != nil {
		return err
	}
	if err := x.flush(); err != nil {
		return fmt.Errorf("vector: the index cannot be written: %w", err)
	}
	for _, s := range slices.Clone(x.segments) {
		alive, err := live(ctx, slices.Clone(s.sets))
		if err != nil {
			return err
		}
		dead := make(map[int64]bool)
		for _, set := range s.sets {
			if !alive.Has(set) {
				dead[set] = true
			}
		}
		if len(dead) > 0 {
			if err := x.rewrite([]*segment{s}, dead); err != nil {
				return err
			}
		}
	}
	return x.mergeAll(ctx)
}

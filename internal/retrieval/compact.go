package retrieval

import (
	"context"
	"errors"
	"slices"
	"time"

	"portico/internal/retrieval/index"
)

// Compacter is an index that holds what was deleted, unseen, until it is told
// to give back its room. live gives those of some sets that still exist.
type Compacter interface {
	Compact(ctx context.Context, live func(context.Context, []int64) (index.Scope, error)) error
}

// The pace of compaction.
const (
	compactEvery = 24 * time.Hour // though nobody told of a deletion
	compactShare = 20             // at most one part in so many of the time
	liveLimit    = 4096           // sets asked for at once
)

// compact keeps what was deleted from staying in files: it goes soon after the
// first deletion, with all that were deleted by then. Searches go on meanwhile.
func (s *Service) compact(ctx context.Context) {
	rest := s.cfg.Compact
	for pause(ctx, nil, rest); ctx.Err() == nil; pause(ctx, nil, rest) {
		began := time.Now()
		if err := s.Compact(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("what was deleted stays in the files of the indexes for now", "err", err)
			signal(s.deleted)
		}
		rest = max(s.cfg.Compact, compactShare*time.Since(began))
		pause(ctx, s.deleted, compactEvery)
	}
}

// Compact has the indexes give back the room of what was deleted.
func (s *Service) Compact(ctx context.Context) error {
	var errs []error
	for _, it := range []struct {
		index any
		*follower
	}{{s.cfg.Lexical, s.text}, {s.cfg.Vectors, s.vectors}} {
		if c, ok := it.index.(Compacter); ok {
			if err := c.Compact(ctx, s.live); err != nil {
				it.restart() // where it turned out broken
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// live gives those of the sets that still exist.
func (s *Service) live(ctx context.Context, sets []int64) (index.Scope, error) {
	var all index.Scope
	for some := range slices.Chunk(sets, liveLimit) {
		alive, err := s.cfg.Store.LiveSets(ctx, some)
		if err != nil {
			return nil, err
		}
		all = append(all, alive...)
	}
	slices.Sort(all)
	return all, nil
}

package retrieval

import (
	"context"
	"fmt"
	"math"
	"strings"

	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/retrieval/embed"
)

const (
	partChunks  = 1024 // chunks in one call of AddVectors
	embedChunks = 64   // in one call of the embedder
)

// fill does a job of kind FillSet: the chunks of a file under a profile get
// their vectors, which become visible together.
func (s *Service) fill(ctx context.Context, w *work) error {
	if w.job.Attempts > maxDeaths {
		return &poisonError{w.job.Attempts}
	}
	f, err := s.fileOf(ctx, w.job)
	if err != nil {
		return err
	}
	p, err := s.profile(ctx, w.job.Profile)
	if err != nil {
		return s.lost(err)
	}
	set, err := s.setToFill(ctx, w, f, p)
	if err != nil {
		return err
	}
	seq := set.VectorSeq
	if e := s.embedder(p); seq == 0 && e != nil && set.Space != "" {
		if err := s.embedSet(ctx, w, f, set, e); err != nil {
			return err
		}
		s.bench.report(w, "index", set.Chunks, set.Chunks)
		if seq, err = s.cfg.Store.FinishVectors(ctx, set.ID); err != nil {
			return s.replaced(err)
		}
	}
	if err := s.vectors.wait(ctx, seq); err != nil {
		return err
	}
	return s.filled(ctx, f, p)
}

// setToFill is the set of a job, cut now if nobody did.
func (s *Service) setToFill(ctx context.Context, w *work, f *file.File, p *Profile) (*Set, error) {
	set, err := s.cfg.Store.SetOf(ctx, f.ID, p.ID)
	if err == nil && set.TextSeq > 0 {
		// Its words come first: a file that is at its end is found by them, even
		// where embedding failed.
		return set, s.text.wait(ctx, set.TextSeq)
	}
	if err != nil && !errdefs.Is(err, errdefs.NotFound) {
		return nil, err
	}
	doc, err := s.document(ctx, w, f)
	if err != nil {
		return nil, &stageError{"extract", err}
	}
	if set, err = s.cut(ctx, w, f, doc, p); err != nil {
		return nil, err
	}
	return set, s.text.wait(ctx, set.TextSeq)
}

// filled records that a set is whole.
func (s *Service) filled(ctx context.Context, f *file.File, p *Profile) error {
	inst, err := s.instance(ctx)
	if err != nil {
		return err
	}
	signal(s.settling)
	if p.ID == inst.current.ID {
		return s.outcome(ctx, f, file.Outcome{Status: file.Completed})
	}
	s.waiting.tell(f.ID)
	return nil
}

// replaced makes errAnew of a set that another one took the place of.
func (s *Service) replaced(err error) error {
	if isGone(err) {
		return errAnew
	}
	return err
}

// embedSet keeps the vectors of a set's chunks, part by part; they are visible
// only when all are there.
func (s *Service) embedSet(ctx context.Context, w *work, f *file.File, set *Set, e embed.Embedder) error {
	s.bench.report(w, "embed", 0, set.Chunks)
	if done, err := s.copyVectors(ctx, f, set, e.Space().Dims); done || err != nil {
		return err
	}
	part := make([]float32, 0, min(set.Chunks, partChunks)*max(e.Space().Dims, 1))
	for first := 0; first < set.Chunks; first += partChunks {
		rows, err := s.cfg.Store.Chunks(ctx, set.ID, first, partChunks)
		if err != nil {
			return err
		}
		if len(rows) != min(set.Chunks-first, partChunks) {
			return errAnew
		}
		part = part[:0]
		for i := 0; i < len(rows); i += embedChunks {
			some := rows[i:min(i+embedChunks, len(rows))]
			if part, err = passages(ctx, e, some, part); err != nil {
				return err
			}
			s.bench.report(w, "embed", first+i+len(some), set.Chunks)
		}
		if err := s.cfg.Store.AddVectors(ctx, set.ID, first, len(part)/len(rows), part); err != nil {
			return s.replaced(err)
		}
	}
	return nil
}

// passages embeds rows, and believes no vector that it did not look at.
func passages(ctx context.Context, e embed.Embedder, rows []Row, dst []float32) ([]float32, error) {
	texts := make([]string, len(rows))
	for i, r := range rows {
		texts[i] = embedded(r.Context, r.Text)
	}
	before := len(dst)
	dst, err := e.Passages(ctx, texts, dst)
	if ctx.Err() != nil {
		return dst, ctx.Err()
	}
	if err != nil {
		return dst, &stageError{"embed", fmt.Errorf("%w: %w", errEmbed, err)}
	}
	got, dims := len(dst)-before, e.Space().Dims
	if got == 0 || got%len(rows) != 0 || dims > 0 && got != dims*len(rows) {
		return dst, &stageError{"embed", fmt.Errorf("%w: %d numbers for %d texts of %d dimensions", errEmbed, got, len(rows), dims)}
	}
	for _, v := range dst[before:] {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return dst, &stageError{"embed", fmt.Errorf("%w: a vector holds no number", errEmbed)}
		}
	}
	return dst, nil
}

// embedded is what of a chunk an embedder sees: on one line, its context first.
func embedded(context, text string) string {
	if context != "" {
		text = context + "\n" + text
	}
	return strings.ReplaceAll(text, "\n", " ")
}

// copyVectors takes the vectors of a set with the same chunks, if there is
// one: equal text is embedded once.
func (s *Service) copyVectors(ctx context.Context, f *file.File, set *Set, dims int) (bool, error) {
	other, err := s.cfg.Store.SetLike(ctx, f.TextHash, set.Profile, set.ID)
	if err != nil || other == nil || other.Chunks != set.Chunks {
		return false, ignoreGone(err)
	}
	for first := 0; first < set.Chunks; first += partChunks {
		mine, err := s.cfg.Store.Chunks(ctx, set.ID, first, partChunks)
		if err != nil {
			return false, err
		}
		theirs, err := s.cfg.Store.Chunks(ctx, other.ID, first, partChunks)
		if err != nil {
			return false, err
		}
		if !alike(mine, theirs) {
			return false, nil
		}
	}
	copied := 0
	err = s.cfg.Store.Vectors(ctx, other.ID, dims, func(first int, vectors []float32) error {
		n := min(set.Chunks-first, partChunks)
		if n <= 0 || len(vectors)%n != 0 {
			return errTorn
		}
		copied += n
		return s.cfg.Store.AddVectors(ctx, set.ID, first, len(vectors)/n, vectors)
	})
	if err != nil && ctx.Err() == nil {
		return false, nil //nolint:nilerr // it is embedded instead
	}
	return copied == set.Chunks, err
}

func alike(a, b []Row) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Text != b[i].Text || a[i].Context != b[i].Context {
			return false
		}
	}
	return true
}

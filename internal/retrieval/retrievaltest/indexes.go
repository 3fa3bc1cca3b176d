package retrievaltest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"unicode"

	"portico/internal/retrieval/index"
)

// Lexical is an index of words in memory: a hit's score is the number of the
// question's words in it.
type Lexical struct {
	mu   sync.Mutex
	seq  int64
	sets map[int64][]index.Text
	// Fault, if set, fails additions.
	Fault func() error
}

// Add implements retrieval.Lexical.
func (l *Lexical) Add(_ context.Context, set, seq int64, chunks []index.Text) error {
	if l.Fault != nil {
		if err := l.Fault(); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sets == nil {
		l.sets = map[int64][]index.Text{}
	}
	l.sets[set], l.seq = slices.Clone(chunks), max(l.seq, seq)
	return nil
}

// Rarity implements retrieval.Lexical: scores here are counts of words.
func (l *Lexical) Rarity(index.Scope) (float64, error) { return 1, nil }

// Seq implements retrieval.Lexical.
func (l *Lexical) Seq() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// Lose forgets everything, as a broken index does.
func (l *Lexical) Lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sets, l.seq = nil, 0
}

// Search implements retrieval.Lexical.
func (l *Lexical) Search(_ context.Context, question string, scope index.Scope, k int) ([]index.Hit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted := words(question)
	var hits []index.Hit
	for _, set := range scope {
		for n, c := range l.sets[set] {
			held, score := words(c.Text+" "+c.Context), 0
			for w := range wanted {
				if held[w] {
					score++
				}
			}
			if score > 0 {
				hits = append(hits, index.Hit{Set: set, N: n, Score: float32(score)})
			}
		}
	}
	slices.SortFunc(hits, index.Compare)
	return hits[:min(len(hits), k)], nil
}

func words(text string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		out[w] = true
	}
	return out
}

// Vectors is an index of vectors in memory.
type Vectors struct {
	mu   sync.Mutex
	seq  int64
	sets map[int64]vectors
}

type vectors struct {
	space string
	dims  int
	rows  []float32
}

// Add implements retrieval.Vectors.
func (v *Vectors) Add(_ context.Context, set, seq int64, space string, dims int, rows []float32) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.sets == nil {
		v.sets = map[int64]vectors{}
	}
	v.sets[set], v.seq = vectors{space, dims, slices.Clone(rows)}, max(v.seq, seq)
	return nil
}

// Seq implements retrieval.Vectors.
func (v *Vectors) Seq() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seq
}

// Search implements retrieval.Vectors.
func (v *Vectors) Search(_ context.Context, space string, question []float32, scope index.Scope, k int) ([]index.Hit, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var hits []index.Hit
	for _, set := range scope {
		s := v.sets[set]
		if s.space != space || s.dims != len(question) {
			continue
		}
		for n := 0; n*s.dims < len(s.rows); n++ {
			dot := float32(0)
			for i, x := range s.rows[n*s.dims : (n+1)*s.dims] {
				dot += x * question[i]
			}
			hits = append(hits, index.Hit{Set: set, N: n, Score: dot})
		}
	}
	slices.SortFunc(hits, index.Compare)
	return hits[:min(len(hits), k)], nil
}

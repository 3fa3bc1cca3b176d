// Package retrievaltest holds what stands in for the heavy rooms of retrieval
// in tests: an embedder without weights, an extractor for plain text, and
// indexes in memory. All of them can be made to fail.
package retrievaltest

import (
	"context"
	"hash/fnv"
	"math"
	"strings"
	"sync/atomic"
	"unicode"

	"portico/internal/retrieval/embed"
)

// Dims is the length of an Embedder's vectors unless it says otherwise.
const Dims = 64

// Embedder makes a vector of the words of a text: texts that share words are
// near each other. It is deterministic and quick.
type Embedder struct {
	Model string // tells spaces apart
	// Calls counts texts embedded in bulk.
	Calls atomic.Int64
	// Fault, if set, is asked before each call in bulk and may fail it, or give
	// it other vectors.
	Fault func(ctx context.Context, texts []string) ([]float32, error)
	// FaultQuestion, if set, fails questions.
	FaultQuestion func() error
}

// Space implements embed.Embedder.
func (e *Embedder) Space() embed.Space {
	return embed.Space{ID: "test-" + e.Model, Engine: "local", Model: e.Model, Dims: Dims}
}

// Question implements embed.Embedder.
func (e *Embedder) Question(_ context.Context, text string) ([]float32, error) {
	if e.FaultQuestion != nil {
		if err := e.FaultQuestion(); err != nil {
			return nil, err
		}
	}
	return Vector(text), nil
}

// Passages implements embed.Embedder.
func (e *Embedder) Passages(ctx context.Context, texts []string, dst []float32) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	e.Calls.Add(int64(len(texts)))
	if e.Fault != nil {
		if v, err := e.Fault(ctx, texts); v != nil || err != nil {
			return append(dst, v...), err
		}
	}
	for _, t := range texts {
		dst = append(dst, Vector(t)...)
	}
	return dst, nil
}

// Tokens implements embed.Embedder: words.
func (e *Embedder) Tokens(text string) int { return len(strings.Fields(text)) }

// MaxTokens implements embed.Embedder.
func (e *Embedder) MaxTokens() int { return 256 }

// Close implements embed.Embedder.
func (e *Embedder) Close() error { return nil }

// Vector is the vector of a text, of length 1.
func Vector(text string) []float32 {
	v := make([]float32, Dims)
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		h := fnv.New32a()
		_, _ = h.Write([]byte(word))
		v[h.Sum32()%Dims]++
	}
	sum := float64(0)
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		v[0], sum = 1, 1
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

// Embedders is one Embedder, or several by their models.
type Embedders struct {
	now    atomic.Pointer[Embedder]
	others atomic.Pointer[map[string]*Embedder]
}

// NewEmbedders has e in use; nil is none.
func NewEmbedders(e *Embedder, others ...*Embedder) *Embedders {
	all := &Embedders{}
	by := map[string]*Embedder{}
	for _, o := range append(others, e) {
		if o != nil {
			by[o.Model] = o
		}
	}
	all.others.Store(&by)
	all.now.Store(e)
	return all
}

// Use puts one of them in use.
func (a *Embedders) Use(e *Embedder) { a.now.Store(e) }

// Current implements retrieval.Embedders.
func (a *Embedders) Current() embed.Embedder {
	if e := a.now.Load(); e != nil {
		return e
	}
	return nil
}

// Of implements retrieval.Embedders.
func (a *Embedders) Of(_, model string) embed.Embedder {
	if e := (*a.others.Load())[model]; e != nil {
		return e
	}
	return nil
}

package embed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/retrieval/embed/tensor"
)

// RemoteOptions say how an embedding server is used. Zero fields take the
// defaults in parentheses.
type RemoteOptions struct {
	QueryPrefix   string // in front of each question
	ContentPrefix string // in front of each passage
	BatchSize     int    // passages in one request (64)
	Concurrency   int    // requests in flight for passages (4)
	Attempts      int    // of one request (3)
	MaxTokens     int    // where the server is known to cut; 0 is not known

	// Sleep waits between attempts; tests need not (a timer).
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter gives a number from 0 to 1 (at random).
	Jitter func() float64
}

// Limits of one request.
const (
	questionPatience = 30 * time.Second
	batchPatience    = 5 * time.Minute
	longestPause     = 30 * time.Second
	maxAnswer        = 64 << 20
)

// dialect is what two kinds of servers do differently.
type dialect struct {
	path   string
	body   func(model string, texts []string) ([]byte, error)
	answer func(body []byte) ([][]float32, error)
}

// remote asks a server.
type remote struct {
	up    *hop.Upstream
	kind  dialect
	opt   RemoteOptions
	space Space
	dims  atomic.Int64 // of the first answer; every other must have them
	slots chan struct{}
}

// NewOllama embeds by an Ollama below the base URL of up. The dimensions of its
// Space are 0 until the first answer. It does not close up.
func NewOllama(up *hop.Upstream, model string, opt RemoteOptions) Embedder {
	return newRemote("ollama", up, model, opt, dialect{"/api/embed", ollamaBody, ollamaAnswer})
}

// NewOpenAI is NewOllama for servers that speak OpenAI's dialect; the base URL
// ends in front of "/embeddings".
func NewOpenAI(up *hop.Upstream, model string, opt RemoteOptions) Embedder {
	return newRemote("openai", up, model, opt, dialect{"/embeddings", openaiBody, openaiAnswer})
}

func newRemote(engine string, up *hop.Upstream, model string, opt RemoteOptions, kind dialect) *remote {
	or := func(v *int, otherwise int) {
		if *v <= 0 {
			*v = otherwise
		}
	}
	or(&opt.BatchSize, 64)
	or(&opt.Concurrency, 4)
	or(&opt.Attempts, 3)
	if opt.Sleep == nil {
		opt.Sleep = sleep
	}
	if opt.Jitter == nil {
		opt.Jitter = rand.Float64
	}
	// The address is no part of the space: the same model may move.
	space := newSpace(engine, model, 0, opt.QueryPrefix, opt.ContentPrefix)
	return &remote{up: up, kind: kind, opt: opt, space: space, slots: make(chan struct{}, opt.Concurrency)}
}

// Space implements Embedder.
func (r *remote) Space() Space {
	s := r.space
	s.Dims = int(r.dims.Load())
	return s
}

// Tokens implements Embedder: nobody here knows.
func (r *remote) Tokens(string) int { return 0 }

// MaxTokens implements Embedder.
func (r *remote) MaxTokens() int { return r.opt.MaxTokens }

// Close implements Embedder.
func (r *remote) Close() error { return nil }

// Question implements Embedder. It waits for no slot.
func (r *remote) Question(ctx context.Context, text string) ([]float32, error) {
	v, err := r.ask(ctx, []string{r.opt.QueryPrefix + text}, questionPatience)
	if err != nil {
		return nil, err
	}
	return v[0], nil
}

// Passages implements Embedder.
func (r *remote) Passages(ctx context.Context, texts []string, dst []float32) ([]float32, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts := make([][][]float32, (len(texts)+r.opt.BatchSize-1)/r.opt.BatchSize)
	var wg sync.WaitGroup
	for i := range parts {
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-r.slots }()
			from := i * r.opt.BatchSize
			batch := make([]string, 0, r.opt.BatchSize)
			for _, t := range texts[from:min(from+r.opt.BatchSize, len(texts))] {
				batch = append(batch, r.opt.ContentPrefix+oneLine(t))
			}
			var err error
			if parts[i], err = r.ask(ctx, batch, batchPatience); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return dst, context.Cause(ctx)
	}
	for _, p := range parts {
		for _, v := range p {
			dst = append(dst, v...)
		}
	}
	return dst, nil
}

// ask makes one request, again if it failed in a way that may pass.
func (r *remote) ask(ctx context.Context, texts []string, patience time.Duration) ([][]float32, error) {
	body, err := r.kind.body(r.space.Model, texts)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		vectors, wait, err := r.once(ctx, body, len(texts), patience)
		if err == nil {
			return vectors, nil
		}
		if wait < 0 || attempt >= r.opt.Attempts || ctx.Err() != nil {
			return nil, err
		}
		if wait == 0 {
			wait = time.Duration((0.5 + r.opt.Jitter()) * float64(250*time.Millisecond<<(attempt-1)))
		}
		if stop := r.opt.Sleep(ctx, min(wait, longestPause)); stop != nil {
			return nil, err
		}
	}
}

// once makes one attempt. A negative wait says that another would end alike.
func (r *remote) once(ctx context.Context, body []byte, n int, patience time.Duration) (_ [][]float32, wait time.Duration, _ error) {
	answer, err := r.up.Do(ctx, &hop.Request{
		Method: "POST", Path: r.kind.path, ContentType: "application/json", Accept: "application/json", Body: body,
		Timeouts: hop.Timeouts{FirstByte: patience, Idle: patience, Total: patience},
	})
	if err != nil {
		return nil, 0, unreached(err)
	}
	b, err := answer.ReadAll(nil, maxAnswer)
	if err != nil {
		return nil, 0, unreached(err)
	}
	if answer.Status != 200 {
		err := refused(answer.Status)
		switch {
		case answer.Status == 429 || answer.Status == 503:
			seconds, _ := strconv.Atoi(answer.Header("Retry-After"))
			return nil, time.Duration(max(0, min(seconds, 3600))) * time.Second, err
		case answer.Status >= 500 || answer.Status == 408:
			return nil, 0, err
		}
		return nil, -1, err
	}
	vectors, err := r.kind.answer(b)
	if err == nil {
		err = r.check(vectors, n)
	}
	if err != nil {
		return nil, 0, errdefs.New(errdefs.Upstream, "The embedding server's answer makes no sense. Check its address and its model.").WithCause(err)
	}
	return vectors, 0, nil
}

// check refuses what would spoil an index: a wrong count, wrong dimensions,
// parts that are no numbers, vectors without direction. It normalises.
func (r *remote) check(vectors [][]float32, n int) error {
	if len(vectors) != n {
		return fmt.Errorf("%d vectors for %d texts", len(vectors), n)
	}
	for _, v := range vectors {
		if len(v) == 0 {
			return errors.New("a vector without numbers")
		}
		r.dims.CompareAndSwap(0, int64(len(v)))
		if want := int(r.dims.Load()); len(v) != want {
			return fmt.Errorf("a vector of %d numbers; others have %d", len(v), want)
		}
		var sum float64
		for _, f := range v {
			sum += float64(f) * float64(f)
		}
		if sum == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
			return errors.New("a vector that is zero, or holds what is no number")
		}
		tensor.Normalize(v)
	}
	return nil
}

func unreached(err error) error {
	kind, detail := errdefs.Upstream, "The embedding server cannot be reached, or broke off. Check that it runs, and its address."
	if e, ok := errors.AsType[*hop.Error](err); ok && e.Timeout {
		kind, detail = errdefs.Timeout, "The embedding server took too long to answer."
	}
	return errdefs.New(kind, detail).WithCause(err)
}

func refused(status int) error {
	detail := fmt.Sprintf("The embedding server answered with status %d.", status)
	switch status {
	case 401, 403:
		detail = "The embedding server does not accept the key that is set for it."
	case 404:
		detail = "The embedding server does not know the model, or its address is wrong."
	case 429:
		detail = "The embedding server is asked too often for now."
	}
	return errdefs.New(errdefs.Upstream, detail)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func ollamaBody(model string, texts []string) ([]byte, error) {
	return json.Marshal(struct {
		Model    string   `json:"model"`
		Input    []string `json:"input"`
		Truncate bool     `json:"truncate"`
	}{model, texts, true})
}

func ollamaAnswer(b []byte) ([][]float32, error) {
	var a struct {
		Embeddings [][]float32 `json:"embeddings"`
	}
	err := json.Unmarshal(b, &a)
	return a.Embeddings, err
}

func openaiBody(model string, texts []string) ([]byte, error) {
	return json.Marshal(struct {
		Model string   `json:"model"`
		Input []string `json:"input"`
	}{model, texts})
}

// openaiAnswer puts the vectors where their indexes say.
func openaiAnswer(b []byte) ([][]float32, error) {
	var a struct {
		Data []struct {
			Embedding []float32 `json:"embedding"`
			Index     *int      `json:"index"`
		} `json:"data"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, err
	}
	out := make([][]float32, len(a.Data))
	for i, d := range a.Data {
		if d.Index != nil {
			i = *d.Index
		}
		if i < 0 || i >= len(out) || out[i] != nil {
			return nil, errors.New("indexes that are no order")
		}
		out[i] = d.Embedding
	}
	return out, nil
}

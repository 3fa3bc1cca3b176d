package embed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"portico/internal/errdefs"
	"portico/internal/retrieval/embed/bert"
	"portico/internal/retrieval/embed/tensor"
	"portico/internal/retrieval/embed/tokenize"
)

// LocalOptions say how a model is used in this process.
type LocalOptions struct {
	Name          string // of the model, for people; empty is the folder's
	QueryPrefix   string // in front of each question, such as "query: "
	ContentPrefix string // in front of each passage
	Int8          bool   // products in int8: faster, vectors a little off
	Threads       int    // for Passages; 0 is all cores
	// Idle is after how long without work memory is given back; 0 is 30 s.
	Idle time.Duration
}

// Local runs an encoder in this process.
type Local struct {
	opt   LocalOptions
	dir   string
	space Space
	model *bert.Model
	words func() (*tokenize.Tokenizer, error) // read when first needed

	running sync.RWMutex // held for reading while the model runs
	closed  bool

	mu   sync.Mutex
	free []*desk
	idle *time.Timer
}

// desk is the room of one goroutine at work.
type desk struct {
	bert.Work
	tokens  []int32
	lengths []int
}

// batchTokens is how many tokens go through the layers together: enough that
// reading the weights costs little, few enough that what lies between two
// layers stays in the processor's caches.
const batchTokens = 512

const defaultIdle = 30 * time.Second

// OpenLocal maps the model in a folder: model.safetensors, config.json,
// tokenizer.json and what sentence-transformers puts beside them. A folder
// that is not there is errdefs.NotFound, one that cannot be used Invalid.
func OpenLocal(dir string, opt LocalOptions) (*Local, error) {
	return openLocal(dir, opt, tensor.Best())
}

func openLocal(dir string, opt LocalOptions, kernels *tensor.Kernels) (*Local, error) {
	if opt.Name == "" {
		opt.Name = filepath.Base(dir)
	}
	if opt.Threads <= 0 {
		opt.Threads = runtime.GOMAXPROCS(0)
	}
	if opt.Idle <= 0 {
		opt.Idle = defaultIdle
	}
	vocabulary, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errdefs.Newf(errdefs.NotFound, "The embedding model %s is not there. Bring it with `portico model fetch` or `portico model import`.", opt.Name).WithCause(err)
	} else if err != nil {
		return nil, unusable(opt.Name, err)
	}
	model, err := bert.Open(dir, kernels, opt.Int8)
	if err != nil {
		return nil, unusable(opt.Name, err)
	}
	l := &Local{opt: opt, dir: dir, model: model}
	l.words = sync.OnceValues(l.readWords)
	l.space = newSpace("local", opt.Name, model.Hidden, model.Identity(), digest(vocabulary), opt.QueryPrefix, opt.ContentPrefix,
		strconv.Itoa(model.MaxTokens), strconv.FormatBool(model.CLS), strconv.FormatBool(opt.Int8))
	model.Rest() // its identity was read all over the file: nobody may ask for vectors for days
	return l, nil
}

func unusable(name string, err error) error {
	return errdefs.Newf(errdefs.Invalid, "The embedding model %s cannot be used. Import it again, or choose another one.", name).WithCause(err)
}

func (l *Local) readWords() (*tokenize.Tokenizer, error) {
	b, err := os.ReadFile(filepath.Join(l.dir, "tokenizer.json"))
	if err != nil {
		return nil, unusable(l.opt.Name, err)
	}
	t, err := tokenize.Parse(b)
	if err != nil {
		return nil, unusable(l.opt.Name, err)
	}
	return t, nil
}

// Dir is the folder of the model, and Options how it is used: what a child
// needs to open the same.
func (l *Local) Dir() string { return l.dir }

// Options are those that it was opened with, defaults filled in.
func (l *Local) Options() LocalOptions { return l.opt }

// Space implements Embedder.
func (l *Local) Space() Space { return l.space }

// MaxTokens implements Embedder.
func (l *Local) MaxTokens() int { return l.model.MaxTokens }

// Tokens implements Embedder. The prefix of passages counts.
func (l *Local) Tokens(text string) int {
	t, err := l.words()
	if err != nil {
		return 0
	}
	if l.opt.ContentPrefix != "" {
		text = l.opt.ContentPrefix + text
	}
	return t.Count(text)
}

// Question implements Embedder. It runs at once, on the caller's goroutine.
func (l *Local) Question(ctx context.Context, text string) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l.run(make([]float32, 0, l.space.Dims), func(d *desk, t *tokenize.Tokenizer) {
		d.add(t, l.opt.QueryPrefix+text, l.model.MaxTokens)
	})
}

// run encodes what fill puts on a desk and appends its vectors to dst.
func (l *Local) run(dst []float32, fill func(*desk, *tokenize.Tokenizer)) ([]float32, error) {
	t, err := l.words()
	if err != nil {
		return dst, err
	}
	l.running.RLock()
	defer l.running.RUnlock()
	if l.closed {
		return dst, errdefs.New(errdefs.Unavailable, "The embedding model was closed meanwhile. Try again.")
	}
	d := l.take()
	defer l.give(d)
	d.tokens, d.lengths = d.tokens[:0], d.lengths[:0]
	fill(d, t)
	dst, err = l.model.Run(dst, d.tokens, d.lengths, &d.Work)
	if err != nil {
		return dst, unusable(l.opt.Name, err)
	}
	return dst, nil
}

func (d *desk) add(t *tokenize.Tokenizer, text string, limit int) {
	before := len(d.tokens)
	d.tokens = t.Encode(d.tokens, text, limit)
	d.lengths = append(d.lengths, len(d.tokens)-before)
}

// Passages implements Embedder, on Threads goroutines of this process.
func (l *Local) Passages(ctx context.Context, texts []string, dst []float32) ([]float32, error) {
	dims, start := l.space.Dims, len(dst)
	if need := start + len(texts)*dims; cap(dst) < need {
		dst = append(make([]float32, 0, need), dst...)
	}
	out := dst[start : start+len(texts)*dims]
	var (
		mu    sync.Mutex
		next  int
		fault error
		wg    sync.WaitGroup
	)
	take := func() (from, to int) {
		mu.Lock()
		defer mu.Unlock()
		if fault == nil {
			fault = ctx.Err()
		}
		if fault != nil {
			return 0, 0
		}
		from = next
		for size := 0; next < len(texts) && size < batchTokens; next++ {
			size += min(len(texts[next])/4+2, l.model.MaxTokens)
		}
		return from, next
	}
	work := func() {
		for from, to := take(); from < to; from, to = take() {
			_, err := l.run(out[from*dims:from*dims:to*dims], func(d *desk, t *tokenize.Tokenizer) {
				for _, text := range texts[from:to] {
					d.add(t, l.opt.ContentPrefix+oneLine(text), l.model.MaxTokens)
				}
			})
			if err != nil {
				mu.Lock()
				fault = errors.Join(fault, err)
				mu.Unlock()
			}
		}
	}
	for range l.opt.Threads - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if fault != nil {
		return dst[:start], fault
	}
	return dst[:start+len(out)], nil
}

// oneLine replaces line feeds: models were trained on passages without.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }

func (l *Local) take() *desk {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.idle != nil {
		l.idle.Stop()
	}
	if n := len(l.free); n > 0 {
		d := l.free[n-1]
		l.free = l.free[:n-1]
		return d
	}
	return new(desk)
}

func (l *Local) give(d *desk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) < l.opt.Threads {
		l.free = append(l.free, d)
	}
	if l.idle == nil {
		l.idle = time.AfterFunc(l.opt.Idle, l.rest)
	} else {
		l.idle.Reset(l.opt.Idle)
	}
}

// rest gives memory back when there was nothing to do for a while.
func (l *Local) rest() {
	l.running.RLock()
	defer l.running.RUnlock()
	if l.closed {
		return
	}
	l.mu.Lock()
	l.free = nil
	l.mu.Unlock()
	l.model.Rest()
}

// Close implements Embedder. It waits for what is running.
func (l *Local) Close() error {
	l.running.Lock()
	defer l.running.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.mu.Lock()
	if l.idle != nil {
		l.idle.Stop()
	}
	l.free = nil
	l.mu.Unlock()
	if err := l.model.Close(); err != nil {
		return fmt.Errorf("the embedding model cannot be closed: %w", err)
	}
	return nil
}

// Folder is where a model of that name lies below the folder of models. What
// stands before a slash, as in "sentence-transformers/all-MiniLM-L6-v2", does
// not count. The name never leads out of the folder.
func Folder(models, name string) (string, error) {
	name = name[strings.LastIndexByte(name, '/')+1:]
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r) {
			name = ""
		}
	}
	if name == "" || name[0] == '.' {
		return "", errdefs.New(errdefs.Invalid, "A model's name is made of letters, digits, dots, dashes and underscores.")
	}
	return filepath.Join(models, name), nil
}

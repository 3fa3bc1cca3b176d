package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/retrieval/embed"
	"portico/internal/retrieval/embed/worker"
	"portico/internal/setting"
)

// embedAgain is how long a model that could not be opened is left alone.
const embedAgain = 30 * time.Second

// embedders opens embedders when they are first asked for. One that was opened
// stays so: what was embedded by it is searched until something else is whole.
type embedders struct {
	settings *setting.Settings
	dialer   hop.Dialer
	models   string // folder
	log      *slog.Logger

	mu     sync.Mutex
	open   map[string]embed.Embedder
	failed map[string]time.Time
	ups    []*hop.Upstream
	closed bool
}

func newEmbedders(settings *setting.Settings, dialer hop.Dialer, models string, log *slog.Logger) *embedders {
	return &embedders{settings: settings, dialer: dialer, models: models, log: log, open: map[string]embed.Embedder{}, failed: map[string]time.Time{}}
}

// Current implements retrieval.Embedders.
func (e *embedders) Current() embed.Embedder {
	engine := setting.Get(e.settings, setting.EmbeddingEngine)
	return e.Of(cmp.Or(engine, "local"), setting.Get(e.settings, setting.EmbeddingModel))
}

// Of implements retrieval.Embedders.
func (e *embedders) Of(engine, model string) embed.Embedder {
	set := e.settings
	if engine == "none" || model == "" {
		return nil
	}
	query, content := setting.Get(set, setting.EmbeddingQueryPrefix), setting.Get(set, setting.EmbeddingContentPrefix)
	key := []any{engine, model, query, content}
	var make func() (embed.Embedder, error)
	if engine == "local" {
		opt := embed.LocalOptions{QueryPrefix: query, ContentPrefix: content, Int8: setting.Get(set, setting.EmbeddingInt8)}
		key = append(key, opt.Int8)
		make = func() (embed.Embedder, error) { return e.local(model, opt) }
	} else {
		opt := embed.RemoteOptions{QueryPrefix: query, ContentPrefix: content, BatchSize: setting.Get(set, setting.EmbeddingBatch), Concurrency: 1}
		if setting.Get(set, setting.EmbeddingAsync) {
			opt.Concurrency = max(1, setting.Get(set, setting.EmbeddingConcurrency))
		}
		url, secret := e.address(engine)
		key = append(key, url, secret, opt.BatchSize, opt.Concurrency)
		make = func() (embed.Embedder, error) { return e.remote(engine, url, secret, model, opt) }
	}
	return e.once(fmt.Sprintf("%q", key), model, make)
}

// once gives what key stands for, and makes it if nobody did.
func (e *embedders) once(key, model string, make func() (embed.Embedder, error)) embed.Embedder {
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := e.open[key]; known != nil {
		return known
	}
	if e.closed || time.Since(e.failed[key]) < embedAgain {
		return nil
	}
	made, err := make()
	if err != nil {
		if !errdefs.Is(err, errdefs.NotFound) { // weights may be brought at any time
			e.log.Warn("an embedder cannot be used; documents are searched by words alone", "model", model, "err", err)
			e.failed[key] = time.Now()
		}
		return nil
	}
	e.open[key] = made
	return made
}

func (e *embedders) local(model string, opt embed.LocalOptions) (embed.Embedder, error) {
	dir, err := embed.Folder(e.models, model)
	if err != nil {
		return nil, err
	}
	in, err := embed.OpenLocal(dir, opt)
	if err != nil {
		return nil, err
	}
	return worker.New(worker.Config{Logger: e.log}, in), nil
}

// address is where an engine elsewhere is, and its key: its own, or the first
// connection of the same dialect.
func (e *embedders) address(engine string) (url, key string) {
	set := e.settings
	if engine == "ollama" {
		if url = setting.Get(set, setting.EmbeddingOllamaURL); url != "" {
			return url, setting.Get(set, setting.EmbeddingOllamaKey)
		}
		return first(setting.Get(set, setting.OllamaBaseURLs)), ""
	}
	if url = setting.Get(set, setting.EmbeddingOpenAIURL); url != "" {
		return url, setting.Get(set, setting.EmbeddingOpenAIKey)
	}
	return first(setting.Get(set, setting.OpenAIBaseURLs)), first(setting.Get(set, setting.OpenAIKeys))
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func (e *embedders) remote(engine, url, key, model string, opt embed.RemoteOptions) (embed.Embedder, error) {
	var header [][2]string
	if key != "" {
		header = [][2]string{{"Authorization", "Bearer " + key}}
	}
	up, err := hop.New(strings.TrimRight(url, "/"), hop.Options{Dialer: e.dialer, Header: header, MaxIdle: 8})
	if err != nil {
		return nil, err
	}
	e.ups = append(e.ups, up)
	if engine == "ollama" {
		return embed.NewOllama(up, model, opt), nil
	}
	return embed.NewOpenAI(up, model, opt), nil
}

// close lets go of all of them.
func (e *embedders) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, open := range e.open {
		if err := open.Close(); err != nil {
			e.log.Warn("an embedder did not close well", "err", err)
		}
	}
	e.open = nil
	for _, up := range e.ups {
		up.Close()
	}
}

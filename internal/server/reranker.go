package server

import (
	"context"
	"net/url"
	"sync"
	"time"

	"portico/internal/egress"
	"portico/internal/hop"
	"portico/internal/retrieval/rerank"
	"portico/internal/setting"
)

// reranker asks the server that the settings name, whichever that is now.
type reranker struct {
	settings *setting.Settings
	dialer   hop.Dialer

	mu sync.Mutex
	at string // the address of up
	up *hop.Upstream
}

// Ready implements retrieval.Reranker.
func (r *reranker) Ready() bool {
	return setting.Get(r.settings, setting.RerankingEngine) == "external" && setting.Get(r.settings, setting.RerankerURL) != ""
}

// Scores implements retrieval.Reranker.
func (r *reranker) Scores(ctx context.Context, question string, texts []string) ([]float64, error) {
	target, err := egress.ParseURL(setting.Get(r.settings, setting.RerankerURL), egress.Admin)
	if err != nil {
		return nil, err
	}
	up, err := r.upstream(target)
	if err != nil {
		return nil, err
	}
	s := &rerank.Server{
		Up: up, Path: target.RequestURI(), Model: setting.Get(r.settings, setting.RerankingModel),
		Key: setting.Get(r.settings, setting.RerankerKey), Timeout: time.Duration(setting.Get(r.settings, setting.RerankerTimeout)) * time.Second,
	}
	return s.Scores(ctx, question, texts)
}

func (r *reranker) upstream(target *url.URL) (*hop.Upstream, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	base := target.Scheme + "://" + target.Host
	if r.up != nil && r.at == base {
		return r.up, nil
	}
	up, err := hop.New(base, hop.Options{Dialer: r.dialer, MaxIdle: 8})
	if err != nil {
		return nil, err
	}
	r.drop()
	r.at, r.up = base, up
	return up, nil
}

// drop closes what is kept. Calls in flight run to their end.
func (r *reranker) drop() {
	if r.up != nil {
		r.up.Close()
	}
}

func (r *reranker) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
}

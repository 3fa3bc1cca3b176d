package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"portico/internal/config"
	"portico/internal/egress"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/provider/ollama"
	"portico/internal/provider/openai"
	"portico/internal/setting"
)

// upstreams puts connections to use: it alone knows which dialect is spoken by
// which package, and how far each may reach.
type upstreams struct {
	cfg      *config.Config
	settings *setting.Settings
	dialer   hop.Dialer
	log      *slog.Logger
}

func newUpstreams(cfg *config.Config, settings *setting.Settings, log *slog.Logger) *upstreams {
	return &upstreams{cfg: cfg, settings: settings, dialer: egress.NewAdmin(egress.Config{Resolver: cfg.Resolver, Timeout: cfg.UpstreamConnect}), log: log}
}

// connect makes a backend of a connection. It opens nothing yet.
func (u *upstreams) connect(c *provider.Connection) (*provider.Backend, error) {
	up, err := hop.New(c.BaseURL, hop.Options{
		Dialer: u.dialer,
		Timeouts: hop.Timeouts{
			Connect:   u.cfg.UpstreamConnect,
			FirstByte: u.cfg.UpstreamFirstByte,
			Idle:      u.cfg.UpstreamIdle,
			Total:     u.cfg.UpstreamTotal,
		},
	})
	if err != nil {
		return nil, err
	}
	forward := setting.Get(u.settings, setting.ForwardUserInfo)
	if c.Kind == provider.Ollama {
		return provider.NewBackend(c, ollama.New(c, up, ollama.Options{ForwardUser: forward, Log: u.log})), nil
	}
	return provider.NewBackend(c, openai.New(c, up, openai.Options{
		ForwardUser: forward,
		ListTimeout: u.cfg.UpstreamList,
		Idle:        u.cfg.UpstreamIdle,
		Log:         u.log,
	})), nil
}

// Checked is what became of asking one connection for its models.
type Checked struct {
	Name   string // "Ollama at http://127.0.0.1:11434"
	Models int
	Err    error
	// Assumed is a connection that nobody configured: the usual address.
	Assumed bool
}

func (c Checked) String() string {
	switch {
	case c.Err != nil:
		return c.Name + " does not answer"
	case c.Models == 1:
		return c.Name + ", 1 model"
	}
	return fmt.Sprintf("%s, %d models", c.Name, c.Models)
}

// Check asks every connection of the settings that is switched on, all at
// once, each for as long as a list may take.
func (r *Rooms) Check(ctx context.Context, cfg *config.Config) []Checked {
	up := newUpstreams(cfg, r.Settings, r.log)
	ctx, cancel := context.WithTimeout(ctx, cfg.UpstreamList)
	defer cancel()
	var found []*provider.Connection
	if setting.Get(r.Settings, setting.OpenAIEnable) {
		found = append(found, connections(provider.OpenAI, setting.Get(r.Settings, setting.OpenAIBaseURLs))...)
		for i, key := range setting.Get(r.Settings, setting.OpenAIKeys) {
			if i < len(found) {
				found[i].Key = key
			}
		}
	}
	if setting.Get(r.Settings, setting.OllamaEnable) {
		found = append(found, connections(provider.Ollama, setting.Get(r.Settings, setting.OllamaBaseURLs))...)
	}
	origin, _ := r.Settings.Origin(setting.OllamaBaseURLs.Name)
	out := make([]Checked, len(found))
	var all sync.WaitGroup
	for i, c := range found {
		all.Go(func() {
			out[i].Name = nameOf(c)
			out[i].Assumed = c.Kind == provider.Ollama && origin == setting.FromDefault
			b, err := up.connect(c)
			if err != nil {
				out[i].Err = err
				return
			}
			models, err := b.Models(ctx)
			out[i].Models, out[i].Err = len(models), err
		})
	}
	all.Wait()
	return out
}

func connections(kind provider.Kind, urls []string) (out []*provider.Connection) {
	for i, url := range urls {
		out = append(out, &provider.Connection{Kind: kind, Index: i, BaseURL: url})
	}
	return out
}

func nameOf(c *provider.Connection) string {
	if c.Kind == provider.Ollama {
		return "Ollama at " + c.BaseURL
	}
	return "OpenAI-compatible at " + c.BaseURL
}

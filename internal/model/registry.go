package model

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/provider"
	"portico/internal/setting"
)

// Config is what a Registry is made of. Durations of 0 take the defaults in
// parentheses.
type Config struct {
	Settings *setting.Settings
	Rows     Store
	Grants   access.Store
	Bus      *event.Bus
	Policy   access.Policy
	// Connect puts a connection to use. A connection that cannot be used is
	// kept in its place and fails each call with the error.
	Connect func(*provider.Connection) (*provider.Backend, error)
	// Fallback is what answers while no connection has a model; every verified
	// person may use its models. nil is nothing.
	Fallback *provider.Backend

	TTL         time.Duration    // age at which a list is asked for again, behind the answer (1 s)
	ListTimeout time.Duration    // of one asking (10 s)
	Patience    time.Duration    // how long a caller waits for a connection that is alive (1 s)
	MaxModels   int              // that one connection may list (10,000)
	Now         func() time.Time // (time.Now)
	NewID       func() string    // of a version of a row (a UUID)
	Log         *slog.Logger     // (discarded)
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&c.TTL, time.Second}, {&c.ListTimeout, 10 * time.Second}, {&c.Patience, time.Second}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.MaxModels <= 0 {
		c.MaxModels = 10_000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = uuid.NewString
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Registry knows the models. Its readers take no lock: they see a Snapshot,
// which is replaced when a connection has answered something new, and, before
// the next reader gets past it, after every change of a row, a grant or a
// setting.
type Registry struct {
	cfg     Config
	cancels []func()

	snap atomic.Pointer[Snapshot]
	// wanted counts the changes heard of; a snapshot that was made with fewer
	// is brought up to date by whoever comes first.
	wanted atomic.Uint64
	due    atomic.Int64 // when somebody should look for lists that are old, Unix nanoseconds

	heard struct { // what the changes were about
		sync.Mutex
		models, grants map[string]struct{}
		all, settings  bool
	}

	mu     sync.Mutex // held while a snapshot is made
	conns  []*conn    // OpenAI connections, then Ollama's, each by index
	spare  *conn      // the fallback, or nil
	rows   map[string]*Row
	grants map[string][]access.Grant
	order  map[string]int // ui.model_order_list
	news   chan struct{}  // closed when a connection has answered; then replaced
	seen   uint64         // changes that rows, grants and settings above are up to
	misses bucket
	// forward is the setting that the connections were made with.
	forward bool

	young atomic.Int32 // connections that are yet to answer for the first time

	ctx  context.Context // ends with Close
	end  context.CancelFunc
	life sync.Mutex // orders the start of work and its end
	work sync.WaitGroup
}

// New reads rows, grants and settings, and begins to ask the connections,
// without waiting for them.
func New(ctx context.Context, cfg Config) (*Registry, error) {
	g := &Registry{cfg: cfg.withDefaults(), news: make(chan struct{})}
	g.ctx, g.end = context.WithCancel(context.Background())
	g.heard.all, g.heard.settings = true, true
	g.wanted.Store(1)
	g.snap.Store(new(Snapshot))
	if cfg.Fallback != nil {
		if err := g.keepSpare(ctx); err != nil {
			return nil, err
		}
	}
	g.misses = bucket{size: 5, every: time.Second}
	g.cancels = append(g.cancels, cfg.Settings.Watch(g.settingsChanged))
	if cfg.Bus != nil {
		g.cancels = append(g.cancels, cfg.Bus.Subscribe(g.changed))
	}
	if err := g.sync(ctx); err != nil {
		g.Close()
		return nil, err
	}
	g.refreshDue(g.cfg.Now())
	return g, nil
}

// Close stops what runs in the background and lets go of the connections.
func (g *Registry) Close() {
	for _, cancel := range g.cancels {
		cancel()
	}
	g.life.Lock()
	g.end()
	g.life.Unlock()
	g.work.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		c.close()
	}
	g.conns = nil
}

// start runs fn in the background, unless the registry is closed.
func (g *Registry) start(fn func()) bool {
	g.life.Lock()
	defer g.life.Unlock()
	if g.ctx.Err() != nil {
		return false
	}
	g.work.Go(fn)
	return true
}

// changed hears of rows and grants. It only takes notes: the publisher may
// hold what reading the database needs.
func (g *Registry) changed(e event.Event) {
	g.heard.Lock()
	defer g.heard.Unlock()
	switch e.Topic {
	case event.Model:
		note(&g.heard.models, e.ID)
	case event.Grant:
		id, ok := strings.CutPrefix(e.ID, string(access.Model)+"/")
		if !ok {
			return
		}
		note(&g.heard.grants, id)
	case event.Reset:
		g.heard.all = true
	default:
		// Groups reach us as the groups of a principal, and settings by Watch.
		return
	}
	g.wanted.Add(1)
}

func note(set *map[string]struct{}, id string) {
	if *set == nil {
		*set = map[string]struct{}{}
	}
	(*set)[id] = struct{}{}
}

// relevant are the settings that a snapshot is made of.
var relevant = map[string]bool{
	setting.OpenAIEnable.Name: true, setting.OpenAIBaseURLs.Name: true, setting.OpenAIKeys.Name: true, setting.OpenAIConfigs.Name: true,
	setting.OllamaEnable.Name: true, setting.OllamaBaseURLs.Name: true, setting.OllamaConfigs.Name: true,
	setting.ForwardUserInfo.Name: true, setting.ModelOrder.Name: true,
}

func (g *Registry) settingsChanged(names []string) {
	for _, name := range names {
		if relevant[name] {
			g.heard.Lock()
			defer g.heard.Unlock()
			g.heard.settings = true
			g.wanted.Add(1)
			return
		}
	}
}

// current is the snapshot with every change in it that was heard of before.
func (g *Registry) current(ctx context.Context) (*Snapshot, error) {
	if s := g.snap.Load(); s.seen == g.wanted.Load() {
		return s, nil
	}
	if err := g.sync(ctx); err != nil {
		return nil, err
	}
	return g.snap.Load(), nil
}

// sync reads what has changed and makes a snapshot of it. When the database
// cannot be read nothing is answered from what is known to be old: a grant may
// have been taken away.
func (g *Registry) sync(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard.Lock()
	seen := g.wanted.Load()
	if g.snap.Load().seen == seen {
		g.heard.Unlock()
		return nil
	}
	models, grants, all, settings := g.heard.models, g.heard.grants, g.heard.all, g.heard.settings
	g.heard.models, g.heard.grants, g.heard.all, g.heard.settings = nil, nil, false, false
	g.heard.Unlock()

	if err := g.read(ctx, models, grants, all); err != nil {
		g.heard.Lock()
		g.heard.all = true
		g.heard.settings = g.heard.settings || settings
		g.heard.Unlock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errdefs.New(errdefs.Unavailable, "The list of models cannot be read from the database at this moment. Try again.").
			WithCause(err).WithRetryAfter(time.Second)
	}
	if settings {
		g.connect()
	}
	g.seen = seen
	g.rebuild(seen)
	return nil
}

// read brings rows and grants up to date.
func (g *Registry) read(ctx context.Context, models, grants map[string]struct{}, all bool) error {
	if all {
		list, err := g.cfg.Rows.Models(ctx)
		if err != nil {
			return err
		}
		rows := make(map[string]*Row, len(list))
		for _, row := range list {
			rows[row.ID] = row
		}
		byID, err := g.cfg.Grants.AllGrants(ctx, access.Model)
		if err != nil {
			return err
		}
		g.rows, g.grants = rows, byID
		return nil
	}
	if len(models) == 0 && len(grants) == 0 {
		return nil
	}
	rows, byID := maps.Clone(g.rows), maps.Clone(g.grants)
	for id := range models {
		row, err := g.cfg.Rows.ModelByID(ctx, id)
		switch {
		case errdefs.Is(err, errdefs.NotFound):
			delete(rows, id)
		case err != nil:
			return err
		default:
			rows[id] = row
		}
		note(&grants, id) // a row goes with its grants
	}
	for id := range grants {
		list, err := g.cfg.Grants.GrantsOf(ctx, access.Model, id)
		if err != nil && !errdefs.Is(err, errdefs.NotFound) {
			return err
		}
		if len(list) == 0 {
			delete(byID, id)
		} else {
			byID[id] = list
		}
	}
	g.rows, g.grants = rows, byID
	return nil
}

// Backends are the connections of a dialect by index, those that are switched
// off included (see Connection.Enabled).
func (g *Registry) Backends(kind provider.Kind) []*provider.Backend {
	s, err := g.current(g.ctx)
	if err != nil {
		s = g.snap.Load() // connections are not what the database failed to say
	}
	if kind == provider.Ollama {
		return s.ollama
	}
	return s.openai
}

package model

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"

	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/setting"
)

// conn is a connection and what it last said. All but backend is guarded by
// Registry.mu.
type conn struct {
	backend *provider.Backend
	enabled bool // itself and its dialect
	broken  error

	entries  []provider.Entry // of the last good answer
	answered time.Time        // when that was; zero is never
	started  time.Time        // of the last asking
	running  bool
	asked    uint64 // askings that have ended
	failures int    // since the last good answer
	err      error  // of the last asking
	retry    time.Time
	// late connections let somebody wait in vain, or failed: nobody waits for
	// them until they answer again.
	late bool
	gone bool // not among the settings any more
}

const (
	restFirst = time.Second // after a failure, doubled by each further one
	restMost  = time.Minute
)

// fixed reports whether the list is in the settings, so that nobody is asked.
func (c *conn) fixed() bool {
	return c.backend.Kind == provider.OpenAI && len(c.backend.Config.ModelIDs) > 0
}

// askable reports whether there is anybody to ask.
func (c *conn) askable() bool { return c.enabled && c.broken == nil && !c.fixed() && !c.gone }

func (c *conn) young() bool { return c.askable() && c.answered.IsZero() && !c.late }

// close lets go of idle connections; calls in flight end by themselves.
func (c *conn) close() {
	switch p := c.backend.Provider.(type) {
	case io.Closer:
		_ = p.Close() // nothing was written that could be lost
	case interface{ Close() }:
		p.Close()
	}
}

// connect makes the connections anew from the settings. One that has not
// changed is kept, with its health and its last answer.
func (g *Registry) connect() {
	s := g.cfg.Settings
	forward := setting.Get(s, setting.ForwardUserInfo)
	old := g.conns
	if forward != g.forward {
		old = nil
	}
	next := g.dialect(old, provider.OpenAI, setting.Get(s, setting.OpenAIEnable),
		setting.Get(s, setting.OpenAIBaseURLs), setting.Get(s, setting.OpenAIKeys), setting.Get(s, setting.OpenAIConfigs))
	next = append(next, g.dialect(old, provider.Ollama, setting.Get(s, setting.OllamaEnable),
		setting.Get(s, setting.OllamaBaseURLs), nil, setting.Get(s, setting.OllamaConfigs))...)
	kept := map[*conn]bool{}
	for _, c := range next {
		kept[c] = true
		c.inherit(g.conns)
	}
	for _, c := range g.conns {
		if !kept[c] {
			c.gone = true
			c.close()
		}
	}
	g.conns, g.forward = next, forward
	g.order = map[string]int{}
	for i, id := range setting.Get(s, setting.ModelOrder) {
		g.order[id] = i
	}
	for _, c := range g.conns {
		if c.answered.IsZero() {
			g.ask(c)
		}
	}
	g.tally()
}

// maxConnections bounds each dialect; further ones are reported and left out.
const maxConnections = 256

func (g *Registry) dialect(old []*conn, kind provider.Kind, enabled bool, urls, keys []string, raw json.RawMessage) []*conn {
	configs := map[string]provider.ConnectionConfig{}
	if err := json.Unmarshal(raw, &configs); err != nil {
		g.cfg.Log.Error("the connections' configuration is not of the known form and is not used", "dialect", string(kind))
		configs = nil
	}
	if len(urls) > maxConnections {
		g.cfg.Log.Error("there are more connections than are used", "dialect", string(kind), "connections", len(urls), "used", maxConnections)
		urls = urls[:maxConnections]
	}
	conns := make([]*conn, 0, len(urls))
	for i, url := range urls {
		c := &provider.Connection{Kind: kind, Index: i, BaseURL: strings.TrimRight(url, "/")}
		config, ok := configs[strconv.Itoa(i)]
		if !ok {
			config = configs[url] // as older versions wrote it
		}
		c.Config = config
		if i < len(keys) {
			c.Key = keys[i]
		}
		if kind == provider.Ollama {
			c.Key = config.Key
		}
		conns = append(conns, g.connection(old, c, enabled))
	}
	return conns
}

// connection gives the conn for c, the old one if nothing has changed.
func (g *Registry) connection(old []*conn, c *provider.Connection, enabled bool) *conn {
	for _, o := range old {
		if reflect.DeepEqual(o.backend.Connection, c) {
			o.enabled = enabled && c.Enabled()
			return o
		}
	}
	n := &conn{enabled: enabled && c.Enabled()}
	switch {
	case c.BaseURL == "":
		n.broken = errdefs.New(errdefs.Unavailable, "This connection has no address. The administrator has to set one.")
	default:
		n.backend, n.broken = g.cfg.Connect(c)
	}
	if n.backend == nil || n.broken != nil {
		n.backend = provider.NewBackend(c, broken{n.broken})
		g.cfg.Log.Warn("a connection cannot be used", "dialect", string(c.Kind), "index", c.Index, "error", n.broken)
	}
	return n
}

// inherit takes over what an earlier connection to the same address listed: it
// is in use until the new one has answered, so that a new key does not make
// models unknown for a moment.
func (c *conn) inherit(old []*conn) {
	if !c.answered.IsZero() || c.entries != nil || c.broken != nil {
		return
	}
	for _, o := range old {
		same := o.backend.Kind == c.backend.Kind && o.backend.BaseURL == c.backend.BaseURL
		if same && (c.entries == nil || o.backend.Index == c.backend.Index) {
			c.entries = o.entries
		}
	}
}

// broken stands in the place of a connection that cannot be used.
type broken struct{ err error }

func (b broken) fail() error {
	return errdefs.New(errdefs.Unavailable, "This connection is not set up rightly. The administrator has to check its address.").WithCause(b.err)
}

func (b broken) Models(context.Context) ([]provider.Entry, error) { return nil, b.fail() }

func (b broken) Chat(context.Context, *provider.ChatRequest) (*provider.Reply, error) {
	return nil, b.fail()
}

func (b broken) Embed(context.Context, *provider.EmbedRequest) (*provider.Reply, error) {
	return nil, b.fail()
}

// ask begins to ask c for its list, unless that is going on. Registry.mu is held.
func (g *Registry) ask(c *conn) {
	if c.running || !c.askable() {
		return
	}
	c.running = g.start(func() {
		ctx, cancel := context.WithTimeout(g.ctx, g.cfg.ListTimeout)
		defer cancel()
		entries, err := c.backend.Models(ctx)
		g.answered(c, entries, err)
	})
	if c.running {
		c.started = g.cfg.Now()
	}
}

// answered takes in what an asking brought.
func (g *Registry) answered(c *conn, entries []provider.Entry, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.cfg.Now()
	c.running = false
	c.asked++
	close(g.news)
	g.news = make(chan struct{})
	if c.gone || g.ctx.Err() != nil {
		return
	}
	defer g.tally()
	log := g.cfg.Log.With("dialect", string(c.backend.Kind), "index", c.backend.Index)
	if err != nil {
		if c.failures == 0 {
			level := slog.LevelWarn
			if g.assumed(c) {
				level = slog.LevelDebug
			}
			log.Log(g.ctx, level, "a connection does not list its models; its last list stays in use", "error", err)
		}
		c.retry = now.Add(min(restFirst<<min(c.failures, 10), restMost))
		c.failures++
		c.err, c.late = err, true
		g.tally()
		if len(g.snap.Load().entries) == 0 && g.spare != nil {
			g.rebuild(g.seen) // nobody else may be left
		}
		return
	}
	if c.failures > 0 {
		log.Info("a connection lists its models again")
	}
	if len(entries) > g.cfg.MaxModels {
		log.Warn("a connection lists more models than are used", "models", len(entries), "used", g.cfg.MaxModels)
		entries = entries[:g.cfg.MaxModels]
	}
	first := c.answered.IsZero()
	c.answered, c.failures, c.err, c.late, c.retry = now, 0, nil, false, time.Time{}
	if first || !sameEntries(c.entries, entries) {
		c.entries = entries
		g.tally()
		g.rebuild(g.seen)
	}
}

// assumed reports whether nobody asked for a connection: an Ollama at its usual
// address, which need not be there.
func (g *Registry) assumed(c *conn) bool {
	origin, _ := g.cfg.Settings.Origin(setting.OllamaBaseURLs.Name)
	return c.backend.Kind == provider.Ollama && origin == setting.FromDefault && c.answered.IsZero()
}

func sameEntries(a, b []provider.Entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].ID != b[i].ID || a[i].Loaded != b[i].Loaded || a[i].ExpiresAt != b[i].ExpiresAt || !bytes.Equal(a[i].Raw, b[i].Raw) {
			return false
		}
	}
	return true
}

// keepSpare asks the fallback for its models, which are the same for ever.
func (g *Registry) keepSpare(ctx context.Context) error {
	entries, err := g.cfg.Fallback.Models(ctx)
	if err != nil {
		return err
	}
	g.spare = &conn{backend: g.cfg.Fallback, enabled: true, entries: entries}
	return nil
}

// tally counts who is still to answer for the first time. Registry.mu is held.
func (g *Registry) tally() {
	n := int32(0)
	for _, c := range g.conns {
		if c.young() {
			n++
		}
	}
	g.young.Store(n)
}

// Status is the state of one connection, for people who look after the server.
type Status struct {
	Kind     provider.Kind
	Index    int
	Enabled  bool
	Models   int
	Answered time.Time // zero is never
	Err      error     // of the last asking
}

// Status tells of every connection.
func (g *Registry) Status() []Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]Status, 0, len(g.conns))
	for _, c := range g.conns {
		s := Status{Kind: c.backend.Kind, Index: c.backend.Index, Enabled: c.enabled, Models: len(c.entries), Answered: c.answered, Err: c.err}
		if c.broken != nil {
			s.Err = c.broken
		}
		list = append(list, s)
	}
	return list
}

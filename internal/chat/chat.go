package chat

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/access"
	"portico/internal/model"
	"portico/internal/usage"
)

// Resolver finds where a model's chats go; *model.Registry is one. It fails
// with errdefs.NotFound for what is unknown and for what is not theirs alike.
type Resolver interface {
	Resolve(ctx context.Context, who *access.Principal, id string) (*model.Target, error)
}

// Config bounds what one request may be. Zero fields take the defaults in
// parentheses.
type Config struct {
	MaxBody      int64         // of a request, in bytes (32 MiB)
	Messages     int           // in one request (2,000)
	Parts        int           // in one message (256)
	Tools        int           // in one request (128)
	Streams      int           // open at once, in the whole instance (no limit)
	WriteTimeout time.Duration // how long a client may refuse to read (30 s)
	Now          func() time.Time

	// Gatherer finds what chats are answered from; nil is nobody.
	Gatherer Gatherer
	// Grounding says how that reaches the model; nil is the zero value.
	Grounding func() Grounding
	// Keeper keeps the turns of saved chats; nil keeps none.
	Keeper Keeper
	// Log is told what could not be kept; nil discards.
	Log *slog.Logger
}

func (c Config) or() Config {
	if c.MaxBody == 0 {
		c.MaxBody = 32 << 20
	}
	if c.Messages == 0 {
		c.Messages = 2000
	}
	if c.Parts == 0 {
		c.Parts = 256
	}
	if c.Tools == 0 {
		c.Tools = 128
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = 30 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Service completes chats. It is safe for concurrent use.
type Service struct {
	models  Resolver
	usage   *usage.Recorder
	cfg     Config
	stages  []stage
	turns   sync.Pool // of *turn
	streams atomic.Int64
	tasks   tasks
}

// New makes a Service. What answers cost is counted in rec.
func New(models Resolver, rec *usage.Recorder, cfg Config) *Service {
	s := &Service{models: models, usage: rec, cfg: cfg.or()}
	s.stages = []stage{
		{"decode", (*turn).decode},
		{"resolve", (*turn).resolve},
		{"context", (*turn).context},
		{"request", (*turn).request},
		{"begin", (*turn).begin},
		{"call", (*turn).call},
		{"deliver", (*turn).deliver},
	}
	s.turns.New = func() any { return new(turn) }
	return s
}

func (s *Service) grounding() Grounding {
	if s.cfg.Grounding == nil {
		return Grounding{}
	}
	return s.cfg.Grounding()
}

func (s *Service) log() *slog.Logger {
	if s.cfg.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.cfg.Log
}

// Streams is how many streams are open.
func (s *Service) Streams() int64 { return s.streams.Load() }

// Call is what a route says about one request beyond its body.
type Call struct {
	Who       *access.Principal
	RequestID string
	// Refuse turns the failure to resolve a model into the route's own error.
	// nil is the one of /api/chat/completions: 400 "Model not found".
	Refuse func(id string, err error) error
	// StreamError renders a failure in mid-stream as an event of the route's
	// dialect. It may be called after the handler has returned.
	StreamError func(error) []byte
}

// Complete answers one request of a chat completions route, streamed or not.
// It writes nothing before it returns an error.
func (s *Service) Complete(w http.ResponseWriter, r *http.Request, c Call) error {
	t := s.turns.Get().(*turn)
	t.s, t.w, t.r, t.Call = s, w, r, c
	defer t.end()
	return t.run()
}

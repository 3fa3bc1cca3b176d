package chat

import (
	"context"
	"net/http"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/model"
	"portico/internal/usage"
)

// Resolver finds where a model's chats go; *model.Registry is one. It fails
// with errdefs.NotFound for what is unknown and for what is not theirs alike.
type Resolver interface {
	Resolve(ctx context.Context, who *access.Principal, id string) (*model.Target, error)
}

// Service completes chats.
type Service struct {
	models Resolver
	usage  *usage.Recorder
	cfg    Config
}

// Config bounds what one request may be. Zero fields take the defaults in
// parentheses.
type Config struct{}

// New makes a Service.
func New(models Resolver, rec *usage.Recorder, cfg Config) *Service {
	return &Service{models: models, usage: rec, cfg: cfg}
}

// Call is what a route says about one request beyond its body.
type Call struct {
	Who       *access.Principal
	RequestID string
	// Refuse turns the failure to resolve a model into the route's own error.
	// nil is the one of /api/chat/completions: 400 "Model not found".
	Refuse func(err error) error
}

// Complete answers one request of a chat completions route, streamed or not.
// It writes nothing before it returns an error.
func (s *Service) Complete(w http.ResponseWriter, r *http.Request, c Call) error {
	return errdefs.New(errdefs.Unavailable, "Chats are not served yet.")
}

// Embed answers one request of an embeddings route.
func (s *Service) Embed(w http.ResponseWriter, r *http.Request, c Call) error {
	return errdefs.New(errdefs.Unavailable, "Embeddings are not served yet.")
}

package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/relay"
	"portico/internal/usage"
)

// Doors is what the routes below /ollama and /openai need beyond the models
// and the settings: they pass calls on in a provider's own shape.
type Doors struct {
	// Connect makes a connection that is to be tried; nobody uses it afterwards.
	Connect func(*provider.Connection) (*provider.Backend, error)
	// Fetch opens an address on the internet: the answer and its length in
	// bytes, -1 when unknown. It never reaches inside.
	Fetch func(ctx context.Context, url string) (io.ReadCloser, int64, error)
	// TempDir is where files of models wait to be sent on; "" is the system's.
	TempDir string
	// Usage counts what answers cost; nil does not.
	Usage *usage.Recorder
	// MaxStreams is how many streams the instance carries at once, those of
	// chats included; 0 is no limit.
	MaxStreams int
	// WriteTimeout is how long a client may refuse to take a block of a stream;
	// 0 is relay's.
	WriteTimeout time.Duration

	streams atomic.Int64 // of these doors
}

// Streams is how many streamed answers are open, parked ones included.
func (a *API) Streams() int64 { return a.Chat.Streams() + a.Doors.streams.Load() }

var errDoorsFull = errdefs.New(errdefs.RateLimited, "The server carries as many streams as it can. Try again in a moment.").WithRetryAfter(2 * time.Second)

// asking puts one question to one backend.
type asking func(ctx context.Context, b *provider.Backend) (*provider.Reply, error)

// errNotSetUp is what a connection fails with that takes no such calls.
var errNotSetUp = errdefs.New(errdefs.Upstream, "The connection is not set up rightly. An administrator has to check it.").WithStatus(http.StatusInternalServerError)

// forwarding asks for req.
func forwarding(req *provider.ForwardRequest) asking {
	return func(ctx context.Context, b *provider.Backend) (*provider.Reply, error) {
		f, ok := b.Provider.(provider.Forwarder)
		if !ok {
			return nil, errNotSetUp
		}
		return f.Forward(ctx, req)
	}
}

// errand is one call that is passed on.
type errand struct {
	backends []*provider.Backend // to ask, best first
	ask      asking
	once     bool   // what is sent can be sent only once
	none     error  // when no connection is set up rightly; nil is errNotSetUp
	model    string // whose use is counted; "" counts nothing
	after    func() // called once the answer ended well; nil is nothing
}

// run asks one backend after the other, as long as none can have begun to
// answer. done is to be called when the answer is over.
func (e *errand) run(ctx context.Context) (reply *provider.Reply, done func(error), err error) {
	if err = e.none; err == nil {
		err = errNotSetUp
	}
	for _, b := range e.backends {
		done := b.Begin()
		reply, failed := e.ask(ctx, b)
		if failed == nil {
			return reply, done, nil
		}
		done(failed)
		if failed == error(errNotSetUp) {
			continue
		}
		err = failed
		if e.once || !provider.MayRetry(err) {
			break
		}
	}
	return nil, nil, err
}

// pass runs an errand and hands its answer to the client.
func (a *API) pass(w http.ResponseWriter, r *http.Request, c *route.Call, e *errand) error {
	if most := int64(a.Doors.MaxStreams); most > 0 && a.Streams() >= most {
		return errDoorsFull
	}
	life, leave := relay.Context(r)
	defer leave()
	reply, done, err := e.run(life)
	if err != nil {
		return err
	}
	cost, after := a.cost(c.Who, e.model), e.after
	finish := func(err error, used provider.Usage) {
		done(err)
		cost(err, used)
		if err == nil && after != nil {
			after()
		}
		if reply.Release != nil {
			reply.Release()
		}
	}
	if reply.Stream == nil {
		finish(nil, reply.Usage)
		return writeReply(w, reply)
	}
	a.Doors.streams.Add(1)
	render := NDJSONError
	switch {
	case strings.HasPrefix(reply.ContentType, "text/event-stream"):
		render = SSEError
	case !strings.HasPrefix(reply.ContentType, "application/x-ndjson"):
		err := writeMedia(w, reply)
		a.Doors.streams.Add(-1)
		finish(err, reply.Usage)
		return err
	}
	return relay.Send(w, r, relay.Head{Status: reply.Status, ContentType: reply.ContentType}, reply.Stream, relay.Options{
		Life: life, WriteTimeout: a.Doors.WriteTimeout, Error: render, Done: func(end relay.End) {
			a.Doors.streams.Add(-1)
			finish(end.Err, reply.Stream.Usage())
		},
	})
}

// cost gives what counts a call at its end. It keeps nothing of the request,
// for it may be called after the handler has returned.
func (a *API) cost(who *access.Principal, id string) func(error, provider.Usage) {
	rec, key := a.Doors.Usage, usage.Key{UserID: who.UserID, KeyID: who.KeyID, Model: id}
	if rec == nil || id == "" {
		return func(error, provider.Usage) {}
	}
	return func(err error, used provider.Usage) {
		gone := errors.Is(err, relay.ErrClientGone)
		rec.Add(key, err != nil && !gone, used.Prompt, used.Completion)
	}
}

func callerOf(who *access.Principal) provider.Caller {
	return provider.Caller{ID: who.UserID, Name: who.Name, Email: who.Email, Role: string(who.Role)}
}

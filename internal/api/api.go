// Package api is the HTTP edge: one file per resource, each of which lists its
// routes and holds their handlers. A handler decodes, makes one call of a
// domain room and maps the result; it holds no business rule, no SQL and no
// upstream call. Errors become bytes in error.go and nowhere else.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/auth"
	"portico/internal/chat"
	"portico/internal/conversation"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/model"
	"portico/internal/retrieval"
	"portico/internal/setting"
	"portico/internal/user"
)

// API holds what handlers need. All fields are set before Handler is called
// and not changed afterwards.
type API struct {
	Auth          *auth.Service
	Users         user.Store
	Settings      *setting.Settings
	Models        *model.Registry
	ModelRows     model.Store
	Grants        access.Store
	Chat          *chat.Service
	Files         *file.Service
	Knowledge     *knowledge.Service
	Conversations *conversation.Service
	Retrieval     *retrieval.Service
	Doors         Doors

	Config Config
	Log    *slog.Logger     // nil discards
	Now    func() time.Time // nil is time.Now

	// Ping asks the database whether it is there; nil means there is none.
	Ping func(ctx context.Context) error
	// NotReady gives the reasons why new work should go elsewhere (starting,
	// draining); nil, or no reasons, is ready.
	NotReady func() []string
	// Observe is told of every answer, for metrics and the log; nil is nobody.
	// c.Route is nil for a path that no route has. A streamed answer is told
	// at its real end, also when it outlived its handler.
	Observe func(c *route.Call, a Answered)
}

// Routes is the whole table. It may be called on an empty API, to describe the
// routes without running them.
func (a *API) Routes() []route.Route {
	var t []route.Route
	for _, rows := range [][]route.Route{
		a.serviceRoutes(),
		a.authRoutes(),
		a.keyRoutes(),
		a.adminConfigRoutes(),
		a.userRoutes(),
		a.ownRoutes(),
		a.groupRoutes(),
		a.modelRoutes(),
		a.workspaceRoutes(),
		a.completionRoutes(),
		a.embeddingRoutes(),
		a.openAIRoutes(),
		a.ollamaRoutes(),
		a.fileRoutes(),
		a.knowledgeRoutes(),
		a.retrievalRoutes(),
		a.chatRoutes(),
		a.folderRoutes(),
		a.taskRoutes(),
		a.askRoutes(),
		a.appConfigRoutes(),
		a.docsRoutes(),
	} {
		t = append(t, rows...)
	}
	return t
}

// logger is Log, which may be nil.
func (a *API) logger() *slog.Logger {
	if a.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return a.Log
}

// Handler makes the one handler of the server from the table. Like
// http.ServeMux it panics when a row is wrong, for that is a mistake in the
// program; NewHandler gives the error instead.
func (a *API) Handler() http.Handler {
	h, err := a.NewHandler()
	if err != nil {
		panic(err)
	}
	return h
}

// NewHandler is Handler with an error that lists every row that lets nobody
// in, lacks something, or is there twice.
func (a *API) NewHandler() (http.Handler, error) {
	e, err := newEdge(a.Routes(), a.Auth, a.Config)
	if err != nil {
		return nil, err
	}
	if a.Log != nil {
		e.log = a.Log
	}
	if a.Now != nil {
		e.now = a.Now
	}
	e.observe = a.Observe
	if a.Settings != nil {
		e.home.webURL = func() string { return setting.Get(a.Settings, setting.WebUIURL) }
	}
	return e, nil
}

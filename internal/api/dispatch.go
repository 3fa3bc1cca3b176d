package api

import (
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/auth"
	"portico/internal/errdefs"
)

// authenticator is what the edge needs of *auth.Service.
type authenticator interface {
	// Authenticate proves who sent a request: Who is nil without a credential,
	// and a bad one is an error.
	Authenticate(r *http.Request) (auth.Identity, error)
	// ClearCookie takes the session cookie from the browser.
	ClearCookie(w http.ResponseWriter)
	// Address is where a request came from, as trusted proxies tell it.
	Address(r *http.Request) netip.Addr
}

// edge is the handler of the whole server. Every request passes the same
// gates in the same order: target, size of the head, route, size of the body,
// credential, right, origin. Only then does a handler run.
type edge struct {
	table    *route.Table
	auth     authenticator
	dev      bool
	cors     cors
	origin   *http.CrossOriginProtection
	home     home
	patience time.Duration // with the bodies of strangers
	stall    time.Duration // and with pauses in anybody's
	crowd    *crowd
	ids      *requestIDs
	now      func() time.Time
	log      *slog.Logger
	observe  func(*route.Call, Answered)
	pool     sync.Pool
}

func newEdge(rows []route.Route, who authenticator, cfg Config) (*edge, error) {
	table, err := route.NewTable(rows)
	if err != nil {
		return nil, err
	}
	e := &edge{
		table: table, auth: who, dev: cfg.Dev,
		cors: newCORS(cfg.CORSOrigins), origin: http.NewCrossOriginProtection(),
		crowd: newCrowd(cfg), ids: newRequestIDs(), patience: defaultPatience, stall: stallPatience,
		now: time.Now, log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		pool: sync.Pool{New: func() any { return new(exchange) }},
	}
	for o := range e.cors.origins {
		if err := e.origin.AddTrustedOrigin(o); err != nil {
			return nil, err
		}
	}
	e.home = newHome(cfg, e.origin)
	return e, nil
}

// exchange is one request in work. It is pooled: nothing may keep it.
type exchange struct {
	response
	call route.Call
	body io.ReadCloser // as net/http gave it
}

// restore gives the request its own body back. By that net/http knows whether
// a client still waits for "100 Continue", and does not wait for it in turn.
func (x *exchange) restore(r *http.Request) {
	if x.body != nil {
		r.Body = x.body
	}
}

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := e.pool.Get().(*exchange)
	x.response = response{ResponseWriter: w, began: time.Now(), edge: e, call: &x.call}
	id := e.ids.of(r)
	x.call, x.body = route.Call{RequestID: id[0]}, r.Body
	defer e.end(x, r)
	setHeaders(w.Header(), id)
	if err := e.serve(x, r); err != nil {
		e.fail(x, r, err)
	}
}

// serve takes a request through the gates to its handler.
func (e *edge) serve(x *exchange, r *http.Request) error {
	if err := checkTarget(r); err != nil {
		return err
	}
	if err := checkHead(r); err != nil {
		return err
	}
	if e.cors.answer(x.Header(), r) {
		x.WriteHeader(http.StatusNoContent)
		return nil
	}
	m := e.table.Find(r.Method, r.URL.Path)
	row := m.Route
	if row == nil || row.Dev && !e.dev {
		return e.unmatched(&x.response, r, m)
	}
	x.call.Route = row
	m.SetPathValues(r)
	if err := limitBody(x.ResponseWriter, r, row.MaxBody); err != nil {
		return err
	}
	if err := e.admit(&x.call, r); err != nil {
		return err
	}
	if x.call.Who == nil {
		hurry(x.ResponseWriter, r, e.patience)
	} else {
		steady(x.ResponseWriter, r, e.stall)
	}
	return row.Handler(&x.response, r, &x.call)
}

// admit decides whether the caller may use the route of c at all.
func (e *edge) admit(c *route.Call, r *http.Request) error {
	row := c.Route
	if row.Blind {
		return nil
	}
	if err := e.home.admit(row, r); err != nil {
		return err
	}
	id, err := e.auth.Authenticate(r)
	if err == nil {
		err = inScope(id.Who, r.URL.Path)
	}
	if row.Who == route.Public {
		if err != nil || id.Who == nil {
			return e.crowd.admit(e.auth.Address(r), e.now())
		}
	} else if err != nil {
		return err
	}
	if err := mayEnter(row.Who, id.Who); err != nil {
		return err
	}
	if id.Who == nil {
		return nil
	}
	c.Who, c.TokenID, c.TokenExpiry = id.Who, id.TokenID, id.TokenExpiry
	// Where nobody signs in at all, curl may send JSON without saying so.
	c.Ambient = id.Ambient && id.Who.Method != access.BySystem
	if id.Ambient {
		if err := e.origin.Check(r); err != nil {
			return errdefs.New(errdefs.Forbidden, "A page of another site may not do this with your session.").WithCause(err)
		}
	}
	return nil
}

// The refusals that do not depend on the request.
var (
	errNoCredential = errdefs.New(errdefs.Unauthenticated,
		"Not authenticated: add an API key from Settings > Account, or the token of a sign-in, as the header `Authorization: Bearer …`.")
	errPending = errdefs.New(errdefs.Forbidden,
		"This account waits for an administrator to activate it.").WithStatus(http.StatusUnauthorized)
	errNotAdmin = errdefs.New(errdefs.Forbidden,
		"Only an administrator may do this.").WithStatus(http.StatusUnauthorized)
	errNotHuman = errdefs.New(errdefs.Forbidden,
		"An API key cannot do this: sign in and use the token of the session.")
	errOutOfScope = errdefs.New(errdefs.Forbidden,
		"This API key may not use this path. Its owner can make one that may.")
	errModelsOnly = errdefs.New(errdefs.Forbidden,
		"This API key is for certain models only and may administer nothing. Its owner can make one that may.")
)

// mayEnter weighs a caller, nil for nobody, against what a route asks for. A
// wrong role is 401, as in the documented API.
func mayEnter(who route.Who, p *access.Principal) error {
	switch {
	case who == route.Public:
		return nil
	case p == nil:
		return errNoCredential
	case who == route.Current:
		return nil
	case who == route.Human:
		if p.Method == access.ByKey {
			return errNotHuman
		}
		return nil
	case !p.Verified():
		return errPending
	case who == route.Verified:
		return nil
	case who == route.Admin && p.IsAdmin():
		if len(p.Models) > 0 {
			return errModelsOnly
		}
		return nil
	}
	return errNotAdmin
}

// inScope keeps an API key to the paths it was made for: one of its entries,
// or what lies below one.
func inScope(p *access.Principal, path string) error {
	if p == nil || len(p.Routes) == 0 {
		return nil
	}
	path = strings.TrimSuffix(path, "/")
	for _, scope := range p.Routes {
		scope = strings.TrimSuffix(scope, "/")
		if rest, ok := strings.CutPrefix(path, scope); ok && (rest == "" || rest[0] == '/') {
			return nil
		}
	}
	return errOutOfScope
}

// end gives the exchange back and keeps the process alive when a handler panics.
func (e *edge) end(x *exchange, r *http.Request) {
	x.restore(r)
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler {
			panic(p)
		}
		e.log.Error("a handler panicked", "request_id", x.call.RequestID, "op", op(x.call.Route),
			"panic", p, "stack", string(debug.Stack()))
		if x.begun() {
			panic(http.ErrAbortHandler) // the client must see that the answer is not whole
		}
		writeError(&x.response, dialect(x.call.Route, r), errdefs.From(nil), x.call.RequestID)
	}
	if e.observe != nil && !x.past {
		e.observe(&x.call, x.answered(x.bytes))
	}
	*x = exchange{}
	e.pool.Put(x)
}

func op(row *route.Route) string {
	if row == nil {
		return ""
	}
	return row.Op
}

// roots are where programs look: what is unknown below them is a JSON 404.
var roots = []string{"/api", "/ollama", "/openai", "/v1", "/ws", "/docs", "/openapi.json"}

// belowRoot reports whether a path is the business of programs.
func belowRoot(path string) bool {
	for _, root := range roots {
		if rest, ok := strings.CutPrefix(path, root); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

var (
	errNotFound = errdefs.New(errdefs.NotFound, "Not Found")
	errMethod   = errdefs.New(errdefs.Invalid, "Method Not Allowed").WithStatus(http.StatusMethodNotAllowed)
)

// unmatched answers where no route is.
func (e *edge) unmatched(w *response, r *http.Request, m route.Match) error {
	switch {
	case m.Allow != "" && m.Route == nil:
		w.Header().Set("Allow", m.Allow)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return errMethod
	case m.Route != nil, belowRoot(r.URL.Path), r.Method != http.MethodGet && r.Method != http.MethodHead:
		return errNotFound
	}
	return notFoundPage.write(w, http.StatusNotFound)
}

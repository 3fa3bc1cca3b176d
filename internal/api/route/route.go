// Package route is the shape of the route table. A route is data: what it
// answers to, who may call it, how large its body may be, in which dialect it
// fails, and what it takes and gives. The mux, the OpenAPI document and the
// access-matrix test are all made from the same table. No handler lives here,
// only what handlers decode with: JSON, NoBody, Decode, Args.
package route

import (
	"net/http"

	"portico/internal/access"
)

// Who may call a route. The zero value lets nobody in.
type Who uint8

// The doors, from widest to narrowest.
const (
	Nobody   Who = iota
	Public       // no credential needed; one that is sent is still read
	Current      // any signed-in caller, even pending
	Human        // a person's token; API keys are refused
	Verified     // role user or admin
	Admin        // role admin
)

// Dialect is the shape of a route's errors.
type Dialect uint8

// The dialects. Success bodies are the handler's own affair.
const (
	Detail      Dialect = iota // {"detail": …}
	OpenAIError                // {"error":{"message","type","code"}, "detail": …}: both kinds of client find theirs
	OllamaError                // {"error": "…", "detail": "…"}
)

// Call is what is known of a request when its handler runs. It must not be
// kept after the handler returns.
type Call struct {
	Who       *access.Principal // nil on public routes without a credential
	RequestID string
	Route     *Route
	// TokenID and TokenExpiry are of the JWT, when that is how they came.
	TokenID     string
	TokenExpiry int64
	// Ambient tells that the browser sent the credential by itself (a cookie,
	// a header of a proxy, no sign-in at all), so that any page could have
	// caused the request: bodies must then say that they are JSON.
	Ambient bool
}

// Handler answers a request or says why not; it writes nothing before it
// returns an error, unless the error is a broken-off stream.
type Handler func(w http.ResponseWriter, r *http.Request, c *Call) error

// Route is one row of the table.
type Route struct {
	Method string // "GET", "POST", …; HEAD is answered where GET is
	Path   string // with {name} parameters; answered with and without a trailing slash
	// Also lists further paths that are the same route, such as /api/v1/… aliases.
	Also    []string
	Op      string // operation id, unique, snake_case
	Tag     string // group in the documentation
	Summary string // one line, plain English
	Doc     string // more, in Markdown; may be empty
	Who     Who
	// Blind public routes do not even look at a credential, so that they
	// answer while the database does not, and are not rate-limited.
	Blind   bool
	Dialect Dialect
	// MaxBody is the largest body in bytes; 0 is 1 MiB, negative means the
	// handler limits it itself (streamed uploads).
	MaxBody int64
	// Dev routes exist only when ENV=dev.
	Dev bool
	// Params describes path and query parameters beyond those in Path.
	Params []Param
	// Body and Answer are zero values of the Go types on the wire, for the
	// document; nil is none. Answers lists further statuses and their types.
	Body    any
	Answer  any
	Answers map[int]any
	// Produces is the media type of the answer; "" is application/json. With
	// several, such as JSON or an event stream, separate them by commas.
	Produces string
	// Consumes is the media type of the body; "" is application/json.
	Consumes string
	// Errors lists the statuses that the route fails with beyond those that
	// follow from Who, Body and MaxBody.
	Errors []int
	// Handler answers.
	Handler Handler
}

// Param is a parameter of a route.
type Param struct {
	Name, In, Doc string // In is "query", "path" or "header"
	Required      bool
	Type          any // zero value; nil is a string
}

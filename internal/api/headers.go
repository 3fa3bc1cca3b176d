package api

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync/atomic"
)

// The header values that every answer shares. net/http copies them.
var (
	nosniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	sameOrigin = []string{"same-origin"}
)

// setHeaders puts what every answer carries. Cross-Origin-Resource-Policy
// concerns only embedding without CORS, so that programs in browsers that ask
// by CORS are not hindered by it.
func setHeaders(h http.Header, requestID []string) {
	h["X-Request-Id"] = requestID
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noReferrer
	h["Cross-Origin-Resource-Policy"] = sameOrigin
}

// requestIDs makes ids that no other process makes: a random start and a
// count. They are made some at a time, so that one costs no allocation.
type requestIDs struct {
	prefix string
	count  atomic.Uint64
	batch  atomic.Pointer[idBatch]
}

// idBatch is a supply of ids, of which each is handed out once.
type idBatch struct {
	ids  [64]string
	used atomic.Uint32
}

func newRequestIDs() *requestIDs {
	g := &requestIDs{prefix: rand.Text()[:8]}
	g.batch.Store(g.fill())
	return g
}

// of gives the id that the client set, if it is fit to be logged, or a new one
// of 16 characters, as the value of a header.
func (g *requestIDs) of(r *http.Request) []string {
	if sent := r.Header["X-Request-Id"]; len(sent) == 1 && safeID(sent[0]) {
		return sent[:1:1]
	}
	for {
		b := g.batch.Load()
		if i := b.used.Add(1) - 1; i < uint32(len(b.ids)) {
			return b.ids[i : i+1 : i+1]
		}
		g.batch.CompareAndSwap(b, g.fill())
	}
}

// fill makes a supply, in one piece of memory.
func (g *requestIDs) fill() *idBatch {
	const (
		digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
		length = 16
	)
	b := new(idBatch)
	all := make([]byte, 0, len(b.ids)*length)
	for range b.ids {
		all = append(all, g.prefix...)
		n := g.count.Add(1)
		for shift := 35; shift >= 0; shift -= 5 {
			all = append(all, digits[n>>shift&31])
		}
	}
	text := string(all)
	for i := range b.ids {
		b.ids[i] = text[i*length : (i+1)*length]
	}
	return b
}

func safeID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

// cors says which web pages may read answers. The zero value lets all of them,
// without cookies.
type cors struct {
	origins map[string]bool // nil is all
}

func newCORS(origins []string) cors {
	var c cors
	for _, o := range origins {
		if o == "*" {
			return cors{}
		}
		if c.origins == nil {
			c.origins = map[string]bool{}
		}
		c.origins[strings.TrimSuffix(o, "/")] = true
	}
	return c
}

var (
	anyOrigin = []string{"*"}
	exposed   = []string{"X-Request-Id, X-Process-Time, Retry-After, ETag"}
	corsVerbs = []string{"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}
	corsAge   = []string{"600"}
)

// answer sets the headers for pages of other origins and reports whether the
// request was only a question for them.
func (c cors) answer(h http.Header, r *http.Request) (preflight bool) {
	origin := r.Header["Origin"]
	if c.origins != nil {
		h.Add("Vary", "Origin")
	}
	if len(origin) != 1 {
		return false
	}
	preflight = r.Method == http.MethodOptions && len(r.Header["Access-Control-Request-Method"]) > 0
	switch {
	case c.origins == nil:
		h["Access-Control-Allow-Origin"] = anyOrigin
	case c.origins[origin[0]]:
		h["Access-Control-Allow-Origin"] = []string{origin[0]}
		h["Access-Control-Allow-Credentials"] = []string{"true"}
	default:
		return preflight
	}
	if !preflight {
		h["Access-Control-Expose-Headers"] = exposed
		return false
	}
	h["Access-Control-Allow-Methods"] = corsVerbs
	h["Access-Control-Max-Age"] = corsAge
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" && len(asked) <= 1024 {
		h["Access-Control-Allow-Headers"] = []string{asked}
	}
	return true
}

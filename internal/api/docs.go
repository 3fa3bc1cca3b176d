package api

import (
	_ "embed"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/swaggest/swgui/v5emb"

	"portico/internal/api/route"
)

// OpenAPI is the document of this version, as TestOpenAPI keeps it.
//
//go:embed openapi.json
var OpenAPI []byte

// docsRoutes describe the API to people and programs, with ENV=dev only.
func (a *API) docsRoutes() []route.Route {
	ui := sync.OnceValue(newSwaggerUI)
	serve := func(w http.ResponseWriter, r *http.Request, _ *route.Call) error {
		return ui().serve(w, r)
	}
	return []route.Route{
		{
			Method: "GET", Path: "/openapi.json", Op: "openapi", Tag: "docs", Who: route.Public, Dev: true,
			Summary: "This description", Answer: map[string]any{},
			Handler: func(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
				return route.WriteBody(w, http.StatusOK, OpenAPI)
			},
		},
		{
			Method: "GET", Path: "/docs", Op: "docs", Tag: "docs", Who: route.Public, Dev: true,
			Summary: "This description, to read and try", Produces: "text/html", Handler: serve,
		},
		{
			Method: "GET", Path: "/docs/{file}", Op: "docs_file", Tag: "docs", Who: route.Public, Dev: true, Blind: true,
			Summary: "A file of the page", Produces: "application/octet-stream", Handler: serve, Errors: []int{http.StatusNotFound},
		},
	}
}

// swaggerUI is the page, with a policy that lets it use its own files, its own
// inline scripts and this server, and nothing else.
type swaggerUI struct {
	handler http.Handler
	policy  string
}

func newSwaggerUI() *swaggerUI {
	h := v5emb.New("Portico", "/openapi.json", "/docs/")
	page := httptest.NewRecorder()
	h.ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/docs", nil))
	scripts := "'self'" + scriptHashes(page.Body.Bytes())
	return &swaggerUI{h, strings.Join([]string{
		"default-src 'none'", "script-src " + scripts, "style-src 'self' 'unsafe-inline'", "img-src 'self' data:",
		"font-src 'self' data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")}
}

func (u *swaggerUI) serve(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Security-Policy", u.policy)
	w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
	file := presentFile{ResponseWriter: w}
	u.handler.ServeHTTP(&file, r)
	if file.absent {
		return errNotFound
	}
	return nil
}

// presentFile holds back the answer of the page's own file server for a file
// that there is not, which is not in the form of ours.
type presentFile struct {
	http.ResponseWriter
	absent bool
}

func (f *presentFile) WriteHeader(status int) {
	if f.absent = status == http.StatusNotFound; !f.absent {
		f.ResponseWriter.WriteHeader(status)
	}
}

func (f *presentFile) Write(p []byte) (int, error) {
	if f.absent {
		return len(p), nil
	}
	return f.ResponseWriter.Write(p)
}

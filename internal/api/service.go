package api

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"time"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/setting"
)

// Compatible is the version of the documented API that we answer to.
const Compatible = "0.12.4"

// serviceRoutes are about the server itself.
func (a *API) serviceRoutes() []route.Route {
	return []route.Route{
		{
			Method: "GET", Path: "/health", Op: "health", Tag: "service", Who: route.Public, Blind: true,
			Summary: "Is the process alive?", Answer: statusAnswer{},
			Handler: route.NoBody(func(context.Context, *route.Call) (statusAnswer, error) { return statusAnswer{true}, nil }),
		},
		{
			Method: "GET", Path: "/health/db", Op: "health_db", Tag: "service", Who: route.Public, Blind: true,
			Summary: "Does the database answer?", Answer: statusAnswer{}, Errors: []int{503},
			Handler: route.NoBody(a.healthDB),
		},
		{
			Method: "GET", Path: "/ready", Op: "ready", Tag: "service", Who: route.Public, Blind: true,
			Summary: "May new work be sent here?", Answer: statusAnswer{}, Errors: []int{503},
			Doc:     "503 with the reasons while the server starts, drains, or has no database.",
			Handler: route.NoBody(a.ready),
		},
		{
			Method: "GET", Path: "/api/version", Op: "version", Tag: "service", Who: route.Public,
			Summary: "The version of the API and of the server", Answer: versionAnswer{},
			Handler: route.NoBody(a.version),
		},
		{
			Method: "GET", Path: "/api/version/updates", Op: "version_updates", Tag: "service", Who: route.Verified,
			Summary: "The newest version known", Answer: updatesAnswer{},
			Doc: "The server never calls out to ask, so that both are the same.",
			Handler: route.NoBody(func(context.Context, *route.Call) (updatesAnswer, error) {
				return updatesAnswer{Current: Compatible, Latest: Compatible}, nil
			}),
		},
		{
			Method: "GET", Path: "/api/changelog", Op: "changelog", Tag: "service", Who: route.Public,
			Summary: "What changed, by version", Answer: map[string]any{},
			Handler: route.NoBody(func(context.Context, *route.Call) (map[string]any, error) { return map[string]any{}, nil }),
		},
		{
			Method: "GET", Path: "/manifest.json", Op: "manifest", Tag: "service", Who: route.Public,
			Summary: "The web app's manifest", Answer: manifestAnswer{},
			Handler: route.NoBody(a.manifest),
		},
		{
			Method: "GET", Path: "/opensearch.xml", Op: "opensearch", Tag: "service", Who: route.Public,
			Summary: "How a browser searches here", Produces: "application/opensearchdescription+xml",
			Handler: a.openSearch,
		},
		{
			Method: "GET", Path: "/robots.txt", Op: "robots", Tag: "service", Who: route.Public,
			Summary: "Asks crawlers to stay away", Produces: "text/plain",
			Handler: func(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
				w.Header().Set("Content-Type", "text/plain; charset=utf-8")
				_, err := w.Write([]byte("User-agent: *\nDisallow: /\n"))
				return err
			},
		},
		{
			Method: "GET", Path: "/", Op: "root", Tag: "service", Who: route.Public,
			Summary: "A page that says what this is", Produces: "text/html",
			Handler: func(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
				return rootPage.write(w, http.StatusOK)
			},
		},
	}
}

// statusAnswer says that all is well.
type statusAnswer struct {
	Status bool `json:"status"`
}

// pingTimeout bounds how long a probe waits for the database.
const pingTimeout = 2 * time.Second

func (a *API) ping(ctx context.Context) error {
	if a.Ping == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return a.Ping(ctx)
}

func (a *API) healthDB(ctx context.Context, _ *route.Call) (statusAnswer, error) {
	if err := a.ping(ctx); err != nil {
		return statusAnswer{}, errdefs.New(errdefs.Unavailable, "The database does not answer.").WithCause(err)
	}
	return statusAnswer{true}, nil
}

func (a *API) ready(ctx context.Context, c *route.Call) (statusAnswer, error) {
	if a.NotReady != nil {
		if reasons := a.NotReady(); len(reasons) > 0 {
			return statusAnswer{}, errdefs.Newf(errdefs.Unavailable, "Not ready: %s.", strings.Join(reasons, "; "))
		}
	}
	return a.healthDB(ctx, c)
}

type versionAnswer struct {
	Version        string `json:"version"` // of the documented API
	DeploymentID   string `json:"deployment_id"`
	PorticoVersion string `json:"portico_version"`
}

func (a *API) version(context.Context, *route.Call) (versionAnswer, error) {
	return versionAnswer{Compatible, a.Config.DeploymentID, a.Config.Version}, nil
}

type updatesAnswer struct {
	Current string `json:"current"`
	Latest  string `json:"latest"`
}

type manifestAnswer struct {
	Name      string   `json:"name"`
	ShortName string   `json:"short_name"`
	StartURL  string   `json:"start_url"`
	Display   string   `json:"display"`
	Icons     []string `json:"icons"`
}

func (a *API) manifest(context.Context, *route.Call) (manifestAnswer, error) {
	name := a.name()
	return manifestAnswer{Name: name, ShortName: name, StartURL: "/", Display: "standalone", Icons: []string{}}, nil
}

// openSearch names the address that people use, which only the operator
// knows: the Host header could be anybody's.
func (a *API) openSearch(w http.ResponseWriter, _ *http.Request, _ *route.Call) error {
	base := strings.TrimSuffix(setting.Get(a.Settings, setting.WebUIURL), "/")
	var name, url strings.Builder
	_ = xml.EscapeText(&name, []byte(a.name()))
	_ = xml.EscapeText(&url, []byte(base+"/?q="))
	w.Header().Set("Content-Type", "application/opensearchdescription+xml")
	_, err := io.WriteString(w, `<OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/"><ShortName>`+name.String()+
		`</ShortName><InputEncoding>UTF-8</InputEncoding><Url type="text/html" method="get" template="`+url.String()+`{searchTerms}"/></OpenSearchDescription>`)
	return err
}

package api

import (
	"net/http"
	"net/netip"
)

// Config is what the edge must know of the process.
type Config struct {
	Version      string // of this server
	DeploymentID string
	Dev          bool     // ENV=dev: /docs and /openapi.json exist
	NoAuth       bool     // WEBUI_AUTH=false
	TrustedProxy bool     // sign-in by a proxy's header
	CORSOrigins  []string // none, or "*", is all, without cookies
	// AnonymousRate and AnonymousBurst limit callers without a credential, per
	// address; 0 is 10 per second and 20, a negative rate is no limit.
	AnonymousRate  float64
	AnonymousBurst int
	// ClientAddr gives the caller's address, where a proxy may have told it;
	// nil is the other end of the connection.
	ClientAddr func(*http.Request) netip.Addr
}

// name is what the instance calls itself.
func (a *API) name() string { return "Portico" }

package api

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"portico/internal/api/route"
	"portico/internal/errdefs"
)

// home keeps pages of other sites away from a server without sign-in
// (WEBUI_AUTH=false), where whoever reaches it is its administrator and every
// browser of the network reaches it. It is asked of each request, whatever
// credential that carries. The zero value lets everything in.
type home struct {
	on     bool
	hosts  []string      // of the origins that CORS_ALLOW_ORIGIN names
	webURL func() string // WEBUI_URL; nil is none
	origin *http.CrossOriginProtection
}

func newHome(cfg Config, origin *http.CrossOriginProtection) home {
	h := home{on: cfg.NoAuth, origin: origin}
	for _, o := range cfg.CORSOrigins {
		h.hosts = append(h.hosts, hostOf(o))
	}
	return h
}

var (
	errOtherHost = errdefs.New(errdefs.Forbidden,
		"This server has no sign-in and answers to its own names only. Set WEBUI_URL to the address by which you reach it.")
	errOtherSite = errdefs.New(errdefs.Forbidden,
		"This server has no sign-in, so that pages of other sites may not use it. List their origin in CORS_ALLOW_ORIGIN.")
)

// admit refuses names that somebody else could have made point here (DNS
// rebinding), and pages of other sites. Those could read, too, what needs no
// credential; of what is public they may read but do nothing.
func (h *home) admit(row *route.Route, r *http.Request) error {
	if !h.on || row.Blind {
		return nil
	}
	if !h.knows(r.Host) {
		return errOtherHost
	}
	asked := *r
	if row.Who != route.Public {
		asked.Method = http.MethodPost // the check lets methods pass that only read
	}
	if err := h.origin.Check(&asked); err != nil {
		return errOtherSite.WithCause(err)
	}
	return nil
}

// local are names that the public DNS does not have.
var local = []string{"localhost", "local", "internal", "lan", "home.arpa"}

// knows reports whether host is an address, a name of this network alone, or
// one that the operator gave.
func (h *home) knows(host string) bool {
	host = strings.ToLower(hostOf("//" + host))
	if _, err := netip.ParseAddr(host); err == nil || host == "" || !strings.Contains(host, ".") {
		return host != ""
	}
	if slices.ContainsFunc(local, func(name string) bool { return strings.HasSuffix(host, "."+name) }) || slices.Contains(h.hosts, host) {
		return true
	}
	return h.webURL != nil && host == hostOf(h.webURL())
}

// hostOf is the host of an address without its port, in lower case; "" if
// there is none.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

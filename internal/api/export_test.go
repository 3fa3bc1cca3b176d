package api

import (
	"net/http"

	"portico/internal/api/route"
)

// HandlerOf is Handler over rows that a test has changed.
func (a *API) HandlerOf(rows []route.Route) (http.Handler, error) {
	return newEdge(rows, a.Auth, a.Config)
}

// RaceEnabled tells that the race detector allocates, too.
const RaceEnabled = raceEnabled

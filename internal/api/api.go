// Package api is the HTTP edge: one file per resource, each of which lists its
// routes and holds their handlers. A handler decodes, makes one call of a
// domain room and maps the result; it holds no business rule, no SQL and no
// upstream call. Errors become bytes in error.go and nowhere else.
package api

import "portico/internal/api/route"

// Routes is the whole table.
func (a *API) Routes() []route.Route {
	var t []route.Route
	for _, rows := range [][]route.Route{} {
		t = append(t, rows...)
	}
	return t
}

// API holds what handlers need.
type API struct{}

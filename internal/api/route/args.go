package route

import (
	"net/http"
	"net/url"
	"strconv"

	"portico/internal/errdefs"
)

// Args reads the parameters of a path and a query, and collects what is wrong
// with them:
//
//	args := route.ArgsOf(r)
//	page := args.Int("page", 1)
//	if err := args.Err(); err != nil {
//		return err
//	}
type Args struct {
	r      *http.Request
	query  url.Values
	faults faults
}

// ArgsOf parses the query of r. Pairs that are not well-formed are skipped, as
// net/url does.
func ArgsOf(r *http.Request) *Args { return &Args{r: r, query: r.URL.Query()} }

// String is a query parameter, or fallback when it is absent.
func (a *Args) String(name, fallback string) string {
	if !a.query.Has(name) {
		return fallback
	}
	return a.query.Get(name)
}

// Required is a query parameter that must be there.
func (a *Args) Required(name string) string {
	if !a.query.Has(name) {
		a.fault("missing", "query", name, "Field required")
	}
	return a.query.Get(name)
}

// Int is a whole number of the query, or fallback when it is absent or empty.
func (a *Args) Int(name string, fallback int) int {
	if a.query.Get(name) == "" {
		return fallback
	}
	return a.number("query", name, a.query.Get(name))
}

// Page is the query parameter "page", from 1. What lies outside of it is the
// first or an empty one; no page is so far that counting to it overflows.
func (a *Args) Page() int {
	const last = 1 << 30
	return min(max(a.Int("page", 1), 1), last)
}

// Bool is a switch of the query, or fallback when it is absent or empty.
func (a *Args) Bool(name string, fallback bool) bool {
	text := a.query.Get(name)
	if text == "" {
		return fallback
	}
	val, ok := parseBool(text)
	if !ok {
		a.fault("bool_parsing", "query", name, "Input should be a valid boolean, unable to interpret input")
	}
	return val
}

// PathInt is a whole number of the path.
func (a *Args) PathInt(name string) int { return a.number("path", name, a.r.PathValue(name)) }

func (a *Args) number(in, name, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		a.fault("int_parsing", in, name, "Input should be a valid integer, unable to parse string as an integer")
	}
	return n
}

func (a *Args) fault(kind, in, name, msg string) {
	a.faults = append(a.faults, errdefs.Field{Type: kind, Loc: []any{in, name}, Msg: msg})
}

// Err is the 422 for everything that was wrong, or nil.
func (a *Args) Err() error {
	if err := a.faults.err(); err != nil {
		return err
	}
	return nil
}

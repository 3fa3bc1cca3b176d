package route

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Table finds the row of a request. It is made once and only read afterwards.
type Table struct {
	rows  []Route
	exact map[string]*leaf // paths without parameters
	root  node             // paths with parameters
}

// leaf is everything that one path answers to.
type leaf struct {
	rows   []*Route
	names  []string // of the parameters, in order
	allow  string   // value of the Allow header
	source string   // the path as written, for messages
}

// node is one segment of the paths with parameters.
type node struct {
	literal map[string]*node
	param   *node
	rest    *leaf // {name...}: one segment or more, to the end
	leaf    *leaf
}

// Match is what a path led to.
type Match struct {
	Route *Route // nil when no row has this path and method
	// Allow lists the methods of the path when it is known but the method is not.
	Allow string

	names  []string
	values []string
}

// SetPathValues hands the parameters of the path to r.PathValue.
func (m *Match) SetPathValues(r *http.Request) {
	for i, name := range m.names {
		r.SetPathValue(name, m.values[i])
	}
}

// NewTable checks the rows and indexes them. Its error lists every fault: a
// row that lets nobody in, lacks its operation, summary or handler, or is
// there twice.
func NewTable(rows []Route) (*Table, error) {
	t := &Table{rows: slices.Clone(rows), exact: map[string]*leaf{}}
	ops := map[string]string{}
	var faults []error
	for i := range t.rows {
		row := &t.rows[i]
		if err := row.check(); err != nil {
			faults = append(faults, err)
			continue
		}
		if other, taken := ops[row.Op]; taken {
			faults = append(faults, fmt.Errorf("%s %s: operation %q is already that of %s", row.Method, row.Path, row.Op, other))
		}
		ops[row.Op] = row.Method + " " + row.Path
		for _, path := range row.Paths() {
			if err := t.add(path, row); err != nil {
				faults = append(faults, err)
			}
		}
	}
	return t, errors.Join(faults...)
}

// Rows are the routes, in the order in which they were given.
func (t *Table) Rows() []Route { return t.rows }

// Paths are all paths that the route answers to, without trailing slashes.
func (r *Route) Paths() []string {
	paths := make([]string, 0, 1+len(r.Also))
	for _, p := range append([]string{r.Path}, r.Also...) {
		paths = append(paths, trimSlash(p))
	}
	return paths
}

var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

func (r *Route) check() error {
	var faults []string
	for _, f := range []struct {
		bad  bool
		text string
	}{
		{!slices.Contains(methods, r.Method), "has no method that we know"},
		{r.Who == Nobody || r.Who > Admin, "lets nobody in: set Who"},
		{r.Blind && r.Who != Public, "is blind but not public"},
		{r.Op == "", "has no operation id"},
		{r.Summary == "", "has no summary"},
		{r.Handler == nil, "has no handler"},
	} {
		if f.bad {
			faults = append(faults, f.text)
		}
	}
	for _, p := range r.Paths() {
		if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") {
			faults = append(faults, fmt.Sprintf("has a path %q that is none", p))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%s %s: the route %s", r.Method, r.Path, strings.Join(faults, ", "))
}

// add indexes one path of a row.
func (t *Table) add(path string, row *Route) error {
	var names []string
	n := &t.root
	dynamic := strings.Contains(path, "{")
	where := &n.leaf
	if !dynamic {
		l := t.exact[path]
		where = &l
	}
	for seg := range strings.SplitSeq(path[1:], "/") {
		if !dynamic {
			break
		}
		name, isParam := strings.CutPrefix(seg, "{")
		if !isParam {
			n = n.child(seg)
			where = &n.leaf
			continue
		}
		name, closed := strings.CutSuffix(name, "}")
		name, rest := strings.CutSuffix(name, "...")
		if !closed || name == "" {
			return fmt.Errorf("%s %s: %q is no parameter", row.Method, path, seg)
		}
		names = append(names, name)
		if rest {
			where = &n.rest
			continue
		}
		if n.param == nil {
			n.param = &node{}
		}
		n = n.param
		where = &n.leaf
	}
	l := *where
	if l == nil {
		l = &leaf{names: names, source: path}
		*where = l
	}
	if !dynamic {
		t.exact[path] = l
	}
	return l.add(path, names, row)
}

func (n *node) child(seg string) *node {
	if n.literal == nil {
		n.literal = map[string]*node{}
	}
	if n.literal[seg] == nil {
		n.literal[seg] = &node{}
	}
	return n.literal[seg]
}

func (l *leaf) add(path string, names []string, row *Route) error {
	if !slices.Equal(l.names, names) {
		return fmt.Errorf("%s %s: parameters are named differently in %s", row.Method, path, l.source)
	}
	if l.find(row.Method) != nil {
		return fmt.Errorf("%s %s: the path and method are already those of another route", row.Method, path)
	}
	l.rows = append(l.rows, row)
	allow := []string{"OPTIONS"}
	for _, r := range l.rows {
		allow = append(allow, r.Method)
		if r.Method == "GET" {
			allow = append(allow, "HEAD")
		}
	}
	slices.Sort(allow)
	l.allow = strings.Join(slices.Compact(allow), ", ")
	return nil
}

func (l *leaf) find(method string) *Route {
	for _, r := range l.rows {
		if r.Method == method {
			return r
		}
	}
	return nil
}

func trimSlash(path string) string {
	if len(path) > 1 && path[len(path)-1] == '/' {
		return path[:len(path)-1]
	}
	return path
}

// Find gives the row for a request. path is decoded; one trailing slash does
// not matter; HEAD finds GET. A path without parameters costs no allocation.
func (t *Table) Find(method, path string) Match {
	if method == "HEAD" {
		method = "GET"
	}
	path = trimSlash(path)
	var m Match
	if l := t.exact[path]; l != nil {
		if m.Route = l.find(method); m.Route != nil {
			return m
		}
		m.Allow = l.allow
	}
	if path == "" || path[0] != '/' {
		return m
	}
	t.root.find(method, path[1:], nil, &m)
	return m
}

// find walks literal segments first, then parameters, and goes on looking
// where a path fits but its method does not.
func (n *node) find(method, path string, values []string, m *Match) bool {
	if path == "" {
		return n.leaf.match(method, values, m)
	}
	seg, rest, _ := strings.Cut(path, "/")
	if next := n.literal[seg]; next != nil && next.find(method, rest, values, m) {
		return true
	}
	if n.param != nil && seg != "" && n.param.find(method, rest, append(slices.Clip(values), seg), m) {
		return true
	}
	return n.rest.match(method, append(slices.Clip(values), path), m)
}

func (l *leaf) match(method string, values []string, m *Match) bool {
	if l == nil {
		return false
	}
	if row := l.find(method); row != nil {
		*m = Match{Route: row, names: l.names, values: values}
		return true
	}
	if m.Allow == "" {
		m.Allow = l.allow
	}
	return false
}

package store_test

import (
	"errors"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"strings"
	"testing"

	"portico/internal/store"
)

// statements gives every constant of type query in this package, by name, as
// the type checker evaluates it.
func statements(t *testing.T) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	// Imports are not needed to know the constants.
	conf := types.Config{IgnoreFuncBodies: true, Importer: noImports{}, Error: func(error) {}}
	pkg, _ := conf.Check("store", fset, files, nil)
	found := make(map[string]string)
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if ok && strings.HasSuffix(c.Type().String(), ".query") {
			found[name] = constant.StringVal(c.Val())
		}
	}
	return found
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not needed") }

func TestStatementsPrepare(t *testing.T) {
	t.Parallel()
	named := statements(t)
	if len(named) < 50 {
		t.Fatalf("found %d statements only", len(named))
	}
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			db := open(t, engine.url(t), store.Options{})
			all := db.Made()
			for name, text := range named {
				if name != "createMigrations" { // there is such a table already
					all = append(all, text)
				}
			}
			for _, text := range all {
				stmt, err := db.Writer().PrepareContext(t.Context(), text)
				if err != nil {
					t.Errorf("%s\n%v", text, err)
					continue
				}
				stmt.Close()
			}
		})
	}
}

// TestPlaceholders guards what the portable statements rely on.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			db := open(t, engine.url(t), store.Options{})
			var got string
			err := db.Writer().QueryRowContext(t.Context(),
				`SELECT CAST($3 AS TEXT) || CAST($1 AS TEXT) || CAST($2 AS TEXT) || CAST($1 AS TEXT) || COALESCE(CAST($4 AS TEXT), '-')`,
				"a", "b", "c", nil).Scan(&got)
			if err != nil || got != "caba-" {
				t.Errorf("got %q, %v", got, err)
			}
			var yes, no bool
			var big int64
			err = db.Writer().QueryRowContext(t.Context(),
				`SELECT CAST($2 AS BOOLEAN), CAST($1 AS BOOLEAN), CAST($3 AS BIGINT)`, false, true, int64(1)<<62).Scan(&yes, &no, &big)
			if err != nil || !yes || no || big != 1<<62 {
				t.Errorf("got %v %v %d, %v", yes, no, big, err)
			}
		})
	}
}

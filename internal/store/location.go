package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// location is where a URL points to: a path for SQLite (memoryPath for none),
// or a configuration for PostgreSQL.
type location struct {
	path     string
	postgres *pgx.ConnConfig
	notices  []string
}

const (
	memoryPath  = ":memory:"
	fileName    = "portico.db"
	foreignName = "webui.db"
)

// missing reports whether there is no such file.
func (l *location) missing() bool {
	if l.postgres != nil || l.path == memoryPath {
		return false
	}
	_, err := os.Stat(l.path)
	return errors.Is(err, fs.ErrNotExist)
}

// parseURL never repeats the URL in an error: it may hold a password.
func parseURL(raw string) (*location, error) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(raw), "://")
	if !ok {
		return nil, fmt.Errorf("DATABASE_URL is not a URL: write sqlite:///folder/%s or postgres://user:password@host/name", fileName)
	}
	engine, _, _ := strings.Cut(strings.ToLower(scheme), "+")
	switch engine {
	case "sqlite":
		return sqliteLocation(rest)
	case "postgres", "postgresql":
		return postgresLocation(rest)
	}
	return nil, fmt.Errorf("DATABASE_URL has the scheme %q: only sqlite and postgres are supported", scheme)
}

func sqliteLocation(rest string) (*location, error) {
	rest, _, _ = strings.Cut(rest, "?") // options of other drivers; ours are fixed
	path := strings.TrimPrefix(rest, "/")
	if path == "" || path == memoryPath {
		return &location{path: memoryPath}, nil
	}
	if path == rest {
		return nil, fmt.Errorf("DATABASE_URL names a host for SQLite: write sqlite:///folder/%s, or four slashes for a path from the root", fileName)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("the working directory is gone: %w", err)
	}
	loc := &location{path: path}
	if filepath.Base(path) == foreignName {
		loc.path = filepath.Join(filepath.Dir(path), fileName)
		loc.notices = []string{fmt.Sprintf("%s belongs to another server and is not touched: using %s beside it.", path, fileName)}
	}
	return loc, nil
}

func postgresLocation(rest string) (*location, error) {
	u, err := url.Parse("postgres://" + rest)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL for PostgreSQL cannot be read: percent-encode what is special in the password")
	}
	// asyncpg's name for what libpq calls sslmode.
	if q := u.Query(); q.Has("ssl") && !q.Has("sslmode") {
		q.Set("sslmode", q.Get("ssl"))
		q.Del("ssl")
		u.RawQuery = q.Encode()
	}
	cfg, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL for PostgreSQL cannot be read: check host, port and options such as sslmode")
	}
	return &location{postgres: cfg}, nil
}

package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// Source is where variables are looked for: flags first, then the
// environment, then the file.
type Source struct {
	Flags   map[string]string // by flag name
	Environ []string          // as os.Environ gives it
	File    string            // path of a file of NAME=value lines, or ""

	env, file map[string]string
}

// Faults is every fault of a configuration at once.
type Faults []string

func (f Faults) Error() string {
	return "the configuration has faults:\n  " + strings.Join(f, "\n  ")
}

// Load reads the whole table. Its error is Faults when values are at fault.
func Load(src Source) (*Config, error) {
	var faults Faults
	src.env = map[string]string{}
	for _, kv := range src.Environ {
		if name, value, ok := strings.Cut(kv, "="); ok {
			src.env[name] = value
		}
	}
	if src.File != "" {
		var err error
		if src.file, err = readFile(src.File); err != nil {
			return nil, err
		}
	}
	c := &Config{values: make(map[string]Value, len(table)), source: src}
	for i := range table {
		row := &table[i]
		value, origin := row.Default, "default"
		if v, from, ok := src.find(row.Name); ok {
			value, origin = v, from
		}
		if v, ok := src.Flags[row.Flag]; ok && row.Flag != "" {
			value, origin = v, "flag"
		}
		// An empty variable is as good as an absent one where there is a default:
		// compose files pass variables through that nobody set.
		if value == "" && row.Default != "" {
			value, origin = row.Default, "default"
		}
		if err := row.set(c, value); err != nil {
			faults = append(faults, fmt.Sprintf("%s (%s) %s", row.Name, origin, err))
		}
		shown := value
		if row.Secret && value != "" {
			shown = "***"
		}
		c.values[row.Name] = Value{Name: row.Name, Value: shown, Origin: origin, Doc: row.Doc}
	}
	faults = append(faults, c.together()...)
	if len(faults) > 0 {
		return nil, faults
	}
	c.warnings()
	return c, nil
}

// find looks in the environment and in the file.
func (s *Source) find(name string) (value, origin string, ok bool) {
	if v, ok := s.env[name]; ok {
		return v, "environment", true
	}
	if v, ok := s.file[name]; ok {
		return v, "file", true
	}
	return "", "", false
}

// together checks what only several variables say.
func (c *Config) together() (faults Faults) {
	if (c.AdminEmail == "") != (c.AdminPassword == "") {
		faults = append(faults, "WEBUI_ADMIN_EMAIL and WEBUI_ADMIN_PASSWORD must be set together")
	}
	if c.Trusted.Email != "" && len(c.TrustedProxies) == 0 {
		faults = append(faults, "WEBUI_AUTH_TRUSTED_EMAIL_HEADER needs TRUSTED_PROXIES: without it anybody could send that header")
	}
	if c.CookieSameSite == "none" && !c.CookieSecure {
		faults = append(faults, "WEBUI_AUTH_COOKIE_SAME_SITE=none needs WEBUI_AUTH_COOKIE_SECURE=true: browsers refuse it otherwise")
	}
	get := func(name string) string { v, _, _ := c.source.find(name); return v }
	kind := strings.ToLower(get("DATABASE_TYPE"))
	switch {
	case kind == "" || c.DatabaseURL != "" || kind == "sqlite":
	case kind != "postgresql" && kind != "postgres":
		faults = append(faults, fmt.Sprintf("DATABASE_TYPE is %q; it must be postgresql or sqlite", kind))
	case get("DATABASE_HOST") == "" || get("DATABASE_NAME") == "":
		faults = append(faults, "DATABASE_TYPE needs DATABASE_HOST and DATABASE_NAME")
	default:
		host := get("DATABASE_HOST")
		if port := get("DATABASE_PORT"); port != "" {
			host += ":" + port
		}
		u := url.URL{Scheme: "postgres", Host: host, Path: "/" + get("DATABASE_NAME")}
		if user := get("DATABASE_USER"); user != "" {
			u.User = url.UserPassword(user, get("DATABASE_PASSWORD"))
		}
		c.DatabaseURL = u.String()
	}
	return faults
}

// readFile reads lines of NAME=value. Empty lines and lines that begin with #
// are skipped; "export " in front and one pair of quotes around a value are
// taken off. Nothing is expanded.
func readFile(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration file cannot be read: %w", err)
	}
	out := map[string]string{}
	var faults Faults
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "export "))
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			faults = append(faults, fmt.Sprintf("line %d of the configuration file is not NAME=value", i+1))
			continue
		}
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		out[strings.TrimSpace(name)] = value
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return out, nil
}

// IsFault reports whether err is about values, and so the operator's to mend.
func IsFault(err error) bool {
	var f Faults
	return errors.As(err, &f)
}

// Package config is what must be known before anything else can start: one
// declared table of variables, read from flags, the environment and a file,
// all faults reported at once, immutable afterwards. What an administrator
// may change later is in package setting.
package config

import (
	"io"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"time"
)

// Config is the configuration of one process. Durations of 0 mean "no limit"
// where the table says so.
type Config struct {
	Host    string // "" listens on all addresses
	Port    int    // 0 takes a free one
	Env     string // "prod" or "dev"
	DataDir string // absolute

	DatabaseURL string

	// SecretKey signs sessions; empty means the one kept in DataDir.
	SecretKey string

	Auth           bool   // WEBUI_AUTH
	PasswordHash   string // "argon2id" or "bcrypt"
	KeyHeader      string
	AdminEmail     string
	AdminPassword  string
	AdminName      string
	Trusted        TrustedHeaders
	TrustedProxies []netip.Prefix
	CORSOrigins    []string
	CookieSecure   bool
	CookieSameSite string // "lax", "strict" or "none"

	AllModels    bool // BYPASS_MODEL_ACCESS_CONTROL
	AdminSeesAll bool // BYPASS_ADMIN_ACCESS_CONTROL

	OpenAIPassthrough bool // ENABLE_OPENAI_API_PASSTHROUGH

	LogLevel    string // "debug", "info", "warn" or "error"
	LogFormat   string // "auto", "text" or "json"
	MetricsAddr string // "" is off

	UpstreamTotal     time.Duration
	UpstreamConnect   time.Duration
	UpstreamFirstByte time.Duration
	UpstreamIdle      time.Duration
	UpstreamList      time.Duration
	ClientWrite       time.Duration
	ShutdownTimeout   time.Duration
	MaxStreams        int // 0 is a third of the open-file limit

	PersonFiles int // that one person may keep; 0 is any number
	PersonSpace int // MiB of them; 0 is any
	DiskReserve int // MiB of the disk that uploads leave free

	// LogTo is where the log goes; nil is standard error.
	LogTo io.Writer
	// Resolver looks up the names of upstreams; nil is the system's.
	Resolver *net.Resolver

	values map[string]Value
	source Source
	warns  []string
}

// TrustedHeaders name the headers by which a proxy in TrustedProxies says who
// is calling; empty names are off.
type TrustedHeaders struct{ Email, Name, Groups, Role string }

// Value is a variable as it was found, for "config show".
type Value struct {
	Name   string `json:"name"`
	Value  string `json:"value"` // "***" when the variable is secret and set
	Origin string `json:"origin"`
	Doc    string `json:"doc"`
}

// Dev reports whether the process runs with ENV=dev.
func (c *Config) Dev() bool { return c.Env == "dev" }

// Address is what to listen on.
func (c *Config) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// Database is the URL of the database, which is a file in DataDir unless
// another one is named. A path from the root has four slashes in all.
func (c *Config) Database() string {
	if c.DatabaseURL != "" {
		return c.DatabaseURL
	}
	return "sqlite:///" + filepath.ToSlash(filepath.Join(c.DataDir, "portico.db"))
}

// DatabaseName is Database without its password, for people to read.
func (c *Config) DatabaseName() string {
	u, err := url.Parse(c.Database())
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}

// Warnings are sentences for the log: what was set and is not used.
func (c *Config) Warnings() []string { return c.warns }

// Values lists every variable with its value and origin, in table order.
func (c *Config) Values() []Value {
	out := make([]Value, 0, len(c.values))
	for i := range table {
		out = append(out, c.values[table[i].Name])
	}
	return out
}

// File gives the variables of the configuration file.
func (c *Config) File() map[string]string { return c.source.file }

// Environment looks a variable up in the environment alone.
func (c *Config) Environment(name string) (string, bool) {
	v, ok := c.source.env[name]
	return v, ok
}

package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func nothing(*Config, string) error { return nil }

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error { *field(c) = v; return nil }
}

func optional(set func(*Config, string) error) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v == "" {
			return nil
		}
		return set(c, v)
	}
}

func folder(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v == "" {
			return errors.New("must name a folder")
		}
		abs, err := filepath.Abs(v)
		*field(c) = abs
		return err
	}
}

func boolean(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, v string) error {
		switch strings.ToLower(v) {
		case "true", "1", "yes", "on":
			*field(c) = true
		case "false", "0", "no", "off", "":
			*field(c) = false
		default:
			return fmt.Errorf("is %q; it must be true or false", v)
		}
		return nil
	}
}

func number(low, high int, field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return fmt.Errorf("is %q; it must be a whole number from %d to %d", v, low, high)
		}
		*field(c) = n
		return nil
	}
}

// seconds reads a number of seconds, or a duration such as 1m30s. An empty
// value is the default, as the variables of that name always had it.
func seconds(empty time.Duration, field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, v string) error {
		d, err := empty, error(nil)
		if v != "" {
			if d, err = time.ParseDuration(v); err != nil {
				var n float64
				n, err = strconv.ParseFloat(v, 64)
				d = time.Duration(n * float64(time.Second))
			}
		}
		if err != nil || d <= 0 || d > 24*time.Hour {
			return fmt.Errorf("is %q; it must be a number of seconds, more than 0 and at most a day", v)
		}
		*field(c) = d
		return nil
	}
}

func oneOf(field func(*Config) *string, allowed ...string) func(*Config, string) error {
	return func(c *Config, v string) error {
		v = strings.ToLower(v)
		if !slices.Contains(allowed, v) {
			return fmt.Errorf("is %q; it must be one of %s", v, strings.Join(allowed, ", "))
		}
		*field(c) = v
		return nil
	}
}

func list(sep string, field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, v string) error {
		var out []string
		for part := range strings.SplitSeq(v, sep) {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
		*field(c) = out
		return nil
	}
}

func address(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v != "" {
			if _, _, err := net.SplitHostPort(v); err != nil {
				return fmt.Errorf("is %q; it must be host:port, such as 127.0.0.1:9090", v)
			}
		}
		*field(c) = v
		return nil
	}
}

// level accepts the names that operators are used to from Python as well.
func level(c *Config, v string) error {
	switch strings.ToLower(v) {
	case "debug", "trace", "notset":
		c.LogLevel = "debug"
	case "info", "success":
		c.LogLevel = "info"
	case "warn", "warning":
		c.LogLevel = "warn"
	case "error", "critical", "fatal":
		c.LogLevel = "error"
	default:
		return fmt.Errorf("is %q; it must be debug, info, warn or error", v)
	}
	return nil
}

func networks(c *Config, v string) error {
	c.TrustedProxies = nil
	for part := range strings.SplitSeq(v, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			a, aerr := netip.ParseAddr(part)
			if aerr != nil {
				return fmt.Errorf("has %q, which is neither an address nor a network such as 10.0.0.0/8", part)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		c.TrustedProxies = append(c.TrustedProxies, p.Masked())
	}
	return nil
}

func database(c *Config, v string) error {
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil {
		return errors.New("is not a URL; a special character in the password must be percent-encoded")
	}
	// "postgresql+driver" is how Python programs write it.
	scheme, _, _ := strings.Cut(u.Scheme, "+")
	switch scheme {
	case "postgresql", "postgres", "sqlite":
		c.DatabaseURL = v
		return nil
	}
	return fmt.Errorf("has the scheme %q; it must be postgres or sqlite", u.Scheme)
}

// known are secrets that everybody can read in documentation; sessions signed
// with one could be forged by anybody.
var known = []string{"t0p-s3cr3t", "secret", "changeme", "change-me", "your-secret-key", "your_secret_key", "password", "supersecret"}

func secret(c *Config, v string) error {
	if v == "" {
		return nil
	}
	if slices.Contains(known, strings.ToLower(v)) {
		return errors.New("is a value from documentation that anybody knows; make one with: openssl rand -hex 32")
	}
	if len(v) < 32 {
		return fmt.Errorf("has %d characters; it must have at least 32. Make one with: openssl rand -hex 32", len(v))
	}
	if len(uniq(v)) < 8 {
		return errors.New("repeats itself; make one with: openssl rand -hex 32")
	}
	c.SecretKey = v
	return nil
}

func uniq(s string) map[rune]bool {
	m := map[rune]bool{}
	for _, r := range s {
		m[r] = true
	}
	return m
}

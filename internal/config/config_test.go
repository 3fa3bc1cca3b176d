package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "portico.env")
	text := "# a comment\nexport PORT=4000\nWEBUI_ADMIN_NAME=\"Ana Maria\"\n\nLOG_FORMAT='json'\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Source{
		File:    file,
		Environ: []string{"HOST=127.0.0.1", "LOG_FORMAT=text", "AIOHTTP_CLIENT_TIMEOUT=", "TRUSTED_PROXIES=10.0.0.0/8, 127.0.0.1"},
		Flags:   map[string]string{"host": "::1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 4000 || c.Host != "::1" || c.AdminName != "Ana Maria" || c.LogFormat != "text" || c.UpstreamTotal != time.Hour {
		t.Errorf("got %+v", c)
	}
	if len(c.TrustedProxies) != 2 || c.TrustedProxies[1].String() != "127.0.0.1/32" {
		t.Errorf("proxies: %v", c.TrustedProxies)
	}
	origins := map[string]string{}
	for _, v := range c.Values() {
		origins[v.Name] = v.Origin
	}
	for name, want := range map[string]string{"PORT": "file", "HOST": "flag", "LOG_FORMAT": "environment", "ENV": "default"} {
		if origins[name] != want {
			t.Errorf("%s is from %q, want %q", name, origins[name], want)
		}
	}
	if got := c.Address(); got != "[::1]:4000" {
		t.Errorf("address %q", got)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Load(Source{Environ: []string{
		"PORT=70000", "ENV=test", "WEBUI_AUTH=maybe", "WEBUI_SECRET_KEY=t0p-s3cr3t", "TRUSTED_PROXIES=x",
		"WEBUI_ADMIN_EMAIL=a@b.c", "DATABASE_URL=mysql://x/y", "SHUTDOWN_TIMEOUT=-1", "METRICS_ADDR=9090", "LOG_LEVEL=loud",
		"WEBUI_AUTH_COOKIE_SAME_SITE=none", "MAX_STREAMS=x",
	}})
	if !IsFault(err) {
		t.Fatalf("got %v", err)
	}
	for _, name := range []string{"PORT", "ENV", "WEBUI_AUTH ", "WEBUI_SECRET_KEY", "TRUSTED_PROXIES", "WEBUI_ADMIN_PASSWORD",
		"DATABASE_URL", "SHUTDOWN_TIMEOUT", "METRICS_ADDR", "LOG_LEVEL", "SAME_SITE", "MAX_STREAMS"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("no fault names %s:\n%v", name, err)
		}
	}
	if strings.Contains(err.Error(), "t0p-s3cr3t") {
		t.Error("a secret is in the error")
	}
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"default": {[]string{"DATA_DIR=/srv/x"}, "sqlite:////srv/x/portico.db"},
		"url":     {[]string{"DATABASE_URL=postgres://u:p@h/d"}, "postgres://u:xxxxx@h/d"},
		"driver":  {[]string{"DATABASE_URL=postgresql+psycopg2://u@h/d"}, "postgresql+psycopg2://u@h/d"},
		"parts": {[]string{"DATABASE_TYPE=postgresql", "DATABASE_USER=u", "DATABASE_PASSWORD=p/1", "DATABASE_HOST=h",
			"DATABASE_PORT=5433", "DATABASE_NAME=d"}, "postgres://u:xxxxx@h:5433/d"},
	} {
		cfg, err := Load(Source{Environ: c.env})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := cfg.DatabaseName(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	c, err := Load(Source{Environ: []string{"VECTOR_DB=chroma", "REDIS_URL=redis://x", "WEBUI_AUTH=false", "EDITOR=vi"}})
	if err != nil {
		t.Fatal(err)
	}
	w := c.Warnings()
	if len(w) != 2 || !strings.Contains(w[0], "REDIS_URL, VECTOR_DB") || strings.Contains(w[0], "EDITOR") {
		t.Errorf("warnings: %q", w)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	c, err := Load(Source{Environ: []string{"WEBUI_SECRET_KEY=0123456789abcdef0123456789abcdef", "WEBUI_ADMIN_EMAIL=a@b.c", "WEBUI_ADMIN_PASSWORD=hidden-one"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Values() {
		if strings.Contains(v.Value, "0123456789") || strings.Contains(v.Value, "hidden") {
			t.Errorf("%s shows %q", v.Name, v.Value)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	c := &Config{DataDir: t.TempDir()}
	first, err := c.Secret()
	if err != nil || len(first) != 64 {
		t.Fatalf("%q, %v", first, err)
	}
	second, err := c.Secret()
	if err != nil || string(second) != string(first) {
		t.Errorf("the key changed: %v", err)
	}
	path := filepath.Join(c.DataDir, "secret.key")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(c.DataDir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Secret(); err == nil {
		t.Error("a damaged key was taken")
	}
}

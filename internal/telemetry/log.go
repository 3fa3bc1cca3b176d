package telemetry

import (
	"io"
	"log/slog"
	"strings"
)

// maxField is the longest value in a log line, in bytes.
const maxField = 4 << 10

// NewLogger logs to w: JSON, or text for people.
func NewLogger(w io.Writer, json bool, level slog.Level) *slog.Logger {
	opt := &slog.HandlerOptions{Level: level, ReplaceAttr: redact}
	if json {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

// Level reads a level as package config names it.
func Level(name string) slog.Level {
	var l slog.Level
	if l.UnmarshalText([]byte(name)) != nil {
		return slog.LevelInfo
	}
	return l
}

// redact blanks what may not be logged, by the name of the attribute and by
// the look of the value, and cuts what is long.
func redact(_ []string, a slog.Attr) slog.Attr {
	if secretName(a.Key) {
		return slog.String(a.Key, "***")
	}
	switch v := a.Value.Any().(type) {
	case string:
		if clean := Clean(v); len(clean) != len(v) || clean != v {
			return slog.String(a.Key, clean)
		}
	case error:
		return slog.String(a.Key, Clean(v.Error()))
	}
	return a
}

var secretNames = []string{"password", "secret", "token", "authorization", "cookie", "api_key", "apikey", "prompt", "messages", "body"}

func secretName(key string) bool {
	if key == "tokens" || key == "token_id" {
		return false
	}
	for _, s := range secretNames {
		if len(key) >= len(s) && strings.Contains(strings.ToLower(key), s) {
			return true
		}
	}
	return false
}

// Clean cuts s to what a log line may hold and blanks what looks like a key or
// a bearer token.
func Clean(s string) string {
	if len(s) > maxField {
		s = s[:maxField] + "…"
	}
	for _, mark := range []string{"sk-", "Bearer ", "eyJ"} {
		from := 0
		for {
			i := strings.Index(s[from:], mark)
			if i < 0 {
				break
			}
			start := from + i + len(mark)
			end := start
			for end < len(s) && isToken(s[end]) {
				end++
			}
			if end-start < 8 { // too short to be one; "sk-" also ends words
				from = start
				continue
			}
			s = s[:start] + "***" + s[end:]
			from = start + 3
		}
	}
	return s
}

func isToken(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

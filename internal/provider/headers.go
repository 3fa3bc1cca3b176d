package provider

import (
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Headers are what goes with every call of a connection: its credential, what
// the administrator added and, if the operator wants it, who is asking.
type Headers struct {
	list     []header
	fixed    [][2]string // list, when it is the same for everybody
	forward  bool
	personal bool
}

type header struct {
	name, value string
	template    bool // value holds {{…}} to be filled per caller
}

// reserved are set by the call itself and not to be configured.
var reserved = [...]string{"host", "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
	"content-length", "content-type", "accept", "accept-encoding", "upgrade", "expect", "cookie"}

// NewHeaders prepares the headers of a connection. What cannot be sent is left
// out, with a warning. forwardUser has callers told in X-OpenWebUI-User-*.
func NewHeaders(c *Connection, forwardUser bool, log *slog.Logger) *Headers {
	h := &Headers{forward: forwardUser, personal: forwardUser}
	authorized := false
	for _, name := range slices.Sorted(maps.Keys(c.Config.Headers)) {
		if !sendable(name) {
			log.Warn("a header of a connection cannot be sent and is left out", "kind", c.Kind, "connection", c.Index, "header", name)
			continue
		}
		value := c.Config.Headers[name]
		authorized = authorized || strings.EqualFold(name, "Authorization")
		h.add(name, value, strings.Contains(value, "{{"))
	}
	if auth := c.Config.AuthType; !authorized && (auth == "" || auth == "bearer") {
		if key := c.credential(); key != "" {
			h.add("Authorization", "Bearer "+key, false)
		}
	}
	return h
}

// credential is the key that goes with a call. An Ollama's may be in its
// config.
func (c *Connection) credential() string {
	if c.Kind == Ollama && c.Config.Key != "" {
		return c.Config.Key
	}
	return c.Key
}

func (h *Headers) add(name, value string, template bool) {
	if !template {
		value = clean(value)
	}
	h.list = append(h.list, header{name, value, template})
	h.fixed = append(h.fixed, [2]string{name, value})
	h.personal = h.personal || template
}

// For gives what goes with a call for somebody, not to be changed. It allocates
// only when a header depends on who that is.
func (h *Headers) For(who Caller) [][2]string {
	if !h.personal {
		return h.fixed
	}
	fill := strings.NewReplacer("{{USER_ID}}", who.ID, "{{USER_NAME}}", who.Name, "{{USER_EMAIL}}", who.Email, "{{USER_ROLE}}", who.Role)
	out := make([][2]string, 0, len(h.list)+4)
	for _, line := range h.list {
		if line.template {
			line.value = clean(fill.Replace(line.value))
		}
		out = append(out, [2]string{line.name, line.value})
	}
	if h.forward && who.ID != "" {
		out = append(out,
			[2]string{"X-OpenWebUI-User-Name", clean(who.Name)},
			[2]string{"X-OpenWebUI-User-Id", clean(who.ID)},
			[2]string{"X-OpenWebUI-User-Email", clean(who.Email)},
			[2]string{"X-OpenWebUI-User-Role", clean(who.Role)})
	}
	return out
}

func sendable(name string) bool {
	for _, r := range reserved {
		if strings.EqualFold(name, r) {
			return false
		}
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// clean makes a header's value harmless: control characters, which could end
// the line, go; what is not ASCII is written as in a URL.
func clean(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		plain = plain && ' ' <= s[i] && s[i] < 0x7f
	}
	if plain {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < ' ' || r == 0x7f:
		case r > 0x7f:
			b.WriteString(url.PathEscape(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

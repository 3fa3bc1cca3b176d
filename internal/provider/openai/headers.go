package openai

import (
	"log/slog"
	"net/url"
	"strings"

	"portico/internal/provider"
)

// header is one that goes with every call of a connection.
type header struct {
	name, value string
	template    bool // value holds {{…}} to be filled per caller
}

// reserved are set by the call itself and not to be configured.
var reserved = [...]string{"host", "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
	"content-length", "content-type", "accept", "accept-encoding", "upgrade", "expect", "cookie"}

// headersOf prepares the headers of a connection: its credential and what the
// administrator added. What cannot be sent is left out, with a warning.
func headersOf(c *provider.Connection, log *slog.Logger) []header {
	var list []header
	authorized := false
	for name, value := range c.Config.Headers {
		if !sendable(name) {
			log.Warn("a header of a connection cannot be sent and is left out", "kind", c.Kind, "connection", c.Index, "header", name)
			continue
		}
		h := header{name: name, value: value, template: strings.Contains(value, "{{")}
		if !h.template {
			h.value = clean(value)
		}
		authorized = authorized || strings.EqualFold(name, "Authorization")
		list = append(list, h)
	}
	if auth := c.Config.AuthType; c.Key != "" && !authorized && (auth == "" || auth == "bearer") {
		list = append(list, header{name: "Authorization", value: "Bearer " + clean(c.Key)})
	}
	return list
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

// headers gives what goes with a call for somebody. It allocates only when a
// header depends on who that is.
func (c *Client) headers(who provider.Caller) [][2]string {
	if !c.personal {
		return c.fixed
	}
	fill := strings.NewReplacer("{{USER_ID}}", who.ID, "{{USER_NAME}}", who.Name, "{{USER_EMAIL}}", who.Email, "{{USER_ROLE}}", who.Role)
	out := make([][2]string, 0, len(c.list)+4)
	for _, h := range c.list {
		if h.template {
			h.value = clean(fill.Replace(h.value))
		}
		out = append(out, [2]string{h.name, h.value})
	}
	if c.opt.ForwardUser && who.ID != "" {
		out = append(out,
			[2]string{"X-OpenWebUI-User-Name", clean(who.Name)},
			[2]string{"X-OpenWebUI-User-Id", clean(who.ID)},
			[2]string{"X-OpenWebUI-User-Email", clean(who.Email)},
			[2]string{"X-OpenWebUI-User-Role", clean(who.Role)})
	}
	return out
}

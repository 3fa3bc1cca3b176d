package ollama

import (
	"net/url"
	"strings"

	"portico/internal/provider"
)

// reserved are set by the call itself and not to be configured.
var reserved = map[string]bool{
	"host": true, "connection": true, "keep-alive": true, "proxy-connection": true, "te": true, "trailer": true,
	"transfer-encoding": true, "content-length": true, "content-type": true, "accept": true,
	"accept-encoding": true, "upgrade": true, "expect": true, "cookie": true,
}

// headers are the connection's credential and what the administrator added,
// filled in for a caller.
func (c *Client) headers(who provider.Caller) [][2]string {
	var h [][2]string
	authorized := false
	fill := strings.NewReplacer("{{USER_ID}}", who.ID, "{{USER_NAME}}", who.Name, "{{USER_EMAIL}}", who.Email, "{{USER_ROLE}}", who.Role)
	for name, value := range c.conn.Config.Headers {
		if reserved[strings.ToLower(name)] || !isToken(name) {
			continue
		}
		authorized = authorized || strings.EqualFold(name, "Authorization")
		h = append(h, [2]string{name, clean(fill.Replace(value))})
	}
	key := c.conn.Config.Key
	if key == "" {
		key = c.conn.Key
	}
	if auth := c.conn.Config.AuthType; key != "" && !authorized && (auth == "" || auth == "bearer") {
		h = append(h, [2]string{"Authorization", "Bearer " + clean(key)})
	}
	if c.opt.ForwardUser && who.ID != "" {
		h = append(h,
			[2]string{"X-OpenWebUI-User-Name", clean(who.Name)},
			[2]string{"X-OpenWebUI-User-Id", clean(who.ID)},
			[2]string{"X-OpenWebUI-User-Email", clean(who.Email)},
			[2]string{"X-OpenWebUI-User-Role", clean(who.Role)})
	}
	return h
}

func isToken(name string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	}) < 0
}

// clean makes a header's value harmless: control characters, which could end
// the line, go; what is not ASCII is written as in a URL.
func clean(s string) string {
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

package auth

import (
	"net/http"
	"net/textproto"
	"strings"
)

// credential is the secret that a request carries, "" for none.
type credential struct {
	secret string
	cookie bool // it came in the cookie
}

// cookieName is the cookie that holds a session token.
const cookieName = "token"

// credentialOf finds the credential of r, in the documented order: a Bearer
// token, the cookie, an Authorization header of any scheme, the key header.
func (s *Service) credentialOf(r *http.Request) credential {
	scheme, secret := authorization(r.Header)
	if secret != "" && strings.EqualFold(scheme, "Bearer") {
		return credential{secret: secret}
	}
	if c := tokenCookie(r.Header); c != "" {
		return credential{secret: c, cookie: true}
	}
	if secret != "" {
		return credential{secret: secret}
	}
	if v := r.Header[s.cfg.KeyHeader]; len(v) > 0 {
		return credential{secret: strings.TrimSpace(v[0])}
	}
	return credential{}
}

// authorization splits an Authorization header of two words.
func authorization(h http.Header) (scheme, secret string) {
	v := h["Authorization"]
	if len(v) == 0 {
		return "", ""
	}
	scheme, secret, ok := strings.Cut(strings.TrimSpace(v[0]), " ")
	if !ok {
		return "", ""
	}
	secret = strings.TrimSpace(secret)
	if strings.ContainsAny(secret, " \t") {
		return "", ""
	}
	return scheme, secret
}

// tokenCookie is the value of the session cookie. http.Request.Cookie would
// allocate for every cookie there is.
func tokenCookie(h http.Header) string {
	for _, line := range h["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if ok && name == cookieName {
				return strings.Trim(value, `"`)
			}
		}
	}
	return ""
}

func canonicalHeader(name, fallback string) string {
	if name == "" {
		name = fallback
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

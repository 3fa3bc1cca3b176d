package auth

import (
	"net/http"
	"strings"
)

// SetCookie keeps a session in the browser for as long as its token lasts.
func (s *Service) SetCookie(w http.ResponseWriter, session *Session) {
	c := s.cookie(session.Token)
	if session.ExpiresAt != 0 {
		c.MaxAge = max(1, int(session.ExpiresAt-s.now().Unix()))
	}
	http.SetCookie(w, c)
}

// ClearCookie makes the browser forget the session.
func (s *Service) ClearCookie(w http.ResponseWriter) {
	c := s.cookie("")
	c.MaxAge = -1
	http.SetCookie(w, c)
}

func (s *Service) cookie(value string) *http.Cookie {
	c := &http.Cookie{Name: cookieName, Value: value, Path: "/", HttpOnly: true, Secure: s.cfg.CookieSecure, SameSite: http.SameSiteLaxMode}
	switch strings.ToLower(s.cfg.CookieSameSite) {
	case "strict":
		c.SameSite = http.SameSiteStrictMode
	case "none":
		// Browsers drop such a cookie unless it is Secure.
		c.SameSite, c.Secure = http.SameSiteNoneMode, true
	}
	return c
}

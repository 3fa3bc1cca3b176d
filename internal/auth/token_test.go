package auth_test

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"portico/internal/access"
	"portico/internal/auth"
	"portico/internal/setting"
)

// forger makes tokens as somebody who knows the signing key would.
type forger struct {
	key    []byte
	header map[string]any
	claims jwt.MapClaims
}

func newForger(t testing.TB, w *world, genuine string) *forger {
	t.Helper()
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "portico session token 1", 32)
	if err != nil {
		t.Fatal(err)
	}
	tok, _, err := jwt.NewParser(jwt.WithTimeFunc(w.now)).ParseUnverified(genuine, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return &forger{key: key, header: tok.Header, claims: tok.Claims.(jwt.MapClaims)}
}

// forge changes claims and header, signs and gives the token.
func (f *forger) forge(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims, header map[string]any) string {
	t.Helper()
	c := maps.Clone(f.claims)
	for k, v := range claims {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	tok := jwt.NewWithClaims(method, c)
	maps.Copy(tok.Header, header)
	s, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTokenClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.admin()
	if ana.ExpiresAt != epoch+28*24*3600 {
		t.Errorf("expires at %d", ana.ExpiresAt)
	}
	c := newForger(t, w, ana.Token).claims
	if c["id"] != ana.User.ID || c["typ"] != "session" || c["auth_method"] != "password" || c["auth_time"] != float64(epoch) ||
		c["iat"] != float64(epoch) || c["exp"] != float64(ana.ExpiresAt) || c["mfa_verified"] != false {
		t.Errorf("claims: %v", c)
	}
	for _, name := range []string{"jti", "session_stamp"} {
		if s, _ := c[name].(string); len(s) != 36 {
			t.Errorf("%s is %q", name, s)
		}
	}
	for name, by := range transports {
		id, err := w.Authenticate(by(ana.Token))
		if err != nil {
			t.Fatal(name, err)
		}
		if id.Who.Method != access.ByToken || id.TokenID != c["jti"] || id.TokenExpiry != ana.ExpiresAt {
			t.Errorf("%s: %+v", name, id)
		}
	}
}

func TestTokenConfusion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.admin()
	f := newForger(t, w, ana.Token)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	hs := jwt.SigningMethodHS256
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"genuine":          {ana.Token, 200},
		"signed again":     {f.forge(t, hs, f.key, nil, nil), 200},
		"none":             {f.forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil), 401},
		"HS384":            {f.forge(t, jwt.SigningMethodHS384, f.key, nil, nil), 401},
		"HS512":            {f.forge(t, jwt.SigningMethodHS512, f.key, nil, nil), 401},
		"RS256":            {f.forge(t, jwt.SigningMethodRS256, private, nil, nil), 401},
		"the secret":       {f.forge(t, hs, []byte(secret), nil, nil), 401},
		"no key":           {f.forge(t, hs, []byte{}, nil, nil), 401},
		"kid":              {f.forge(t, hs, f.key, nil, map[string]any{"kid": "../../dev/null"}), 401},
		"jwk":              {f.forge(t, hs, f.key, nil, map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AA"}}), 401},
		"jku":              {f.forge(t, hs, f.key, nil, map[string]any{"jku": "https://example.com"}), 401},
		"x5c":              {f.forge(t, hs, f.key, nil, map[string]any{"x5c": []string{"x"}}), 401},
		"crit":             {f.forge(t, hs, f.key, nil, map[string]any{"crit": []string{"x"}}), 401},
		"other purpose":    {f.forge(t, hs, f.key, jwt.MapClaims{"typ": "automation"}, nil), 401},
		"no purpose":       {f.forge(t, hs, f.key, jwt.MapClaims{"typ": nil}, nil), 401},
		"audience":         {f.forge(t, hs, f.key, jwt.MapClaims{"aud": "somewhere"}, nil), 401},
		"issuer":           {f.forge(t, hs, f.key, jwt.MapClaims{"iss": "somebody"}, nil), 401},
		"no stamp":         {f.forge(t, hs, f.key, jwt.MapClaims{"session_stamp": nil}, nil), 401},
		"foreign stamp":    {f.forge(t, hs, f.key, jwt.MapClaims{"session_stamp": "x"}, nil), 401},
		"no jti":           {f.forge(t, hs, f.key, jwt.MapClaims{"jti": nil}, nil), 401},
		"nobody":           {f.forge(t, hs, f.key, jwt.MapClaims{"id": "x"}, nil), 401},
		"a pattern":        {f.forge(t, hs, f.key, jwt.MapClaims{"id": "%"}, nil), 401},
		"id alone":         {f.forge(t, hs, f.key, jwt.MapClaims{"typ": nil, "jti": nil, "session_stamp": nil, "exp": nil}, nil), 401},
		"just expired":     {f.forge(t, hs, f.key, jwt.MapClaims{"exp": epoch - 59}, nil), 200},
		"expired":          {f.forge(t, hs, f.key, jwt.MapClaims{"exp": epoch - 61}, nil), 401},
		"from soon":        {f.forge(t, hs, f.key, jwt.MapClaims{"iat": epoch + 59}, nil), 200},
		"from the future":  {f.forge(t, hs, f.key, jwt.MapClaims{"iat": epoch + 61}, nil), 401},
		"not yet":          {f.forge(t, hs, f.key, jwt.MapClaims{"nbf": epoch + 61}, nil), 401},
		"no end":           {f.forge(t, hs, f.key, jwt.MapClaims{"exp": nil}, nil), 200},
		"padded":           {ana.Token + "=", 401},
		"cut off":          {ana.Token[:len(ana.Token)-1], 401},
		"no signature":     {ana.Token[:strings.LastIndexByte(ana.Token, '.')+1], 401},
		"huge":             {strings.Repeat("x", 9<<10), 401},
		"not a token":      {"x", 401},
		"two in one":       {ana.Token + "." + ana.Token, 401},
		"header not JSON":  {base64.RawURLEncoding.EncodeToString([]byte("x")) + ana.Token[strings.IndexByte(ana.Token, '.'):], 401},
		"alg in lowercase": {f.forge(t, hs, f.key, nil, map[string]any{"alg": "hs256"}), 401},
	} {
		if got := w.status(bearer(c.token)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// Whatever ends a session ends it for the next request, on every transport.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end   func(w *world, s *auth.Session) error
		other int // another session of the same person afterwards
	}{
		"signed out": {func(w *world, s *auth.Session) error {
			id, err := w.Authenticate(bearer(s.Token))
			if err != nil {
				return err
			}
			return w.SignOut(t.Context(), id.Who, id.TokenID, id.TokenExpiry)
		}, 200},
		"new password": {func(w *world, s *auth.Session) error {
			return w.ChangePassword(t.Context(), s.User.ID, password, "an0ther-Pass!")
		}, 401},
		"set password": {func(w *world, s *auth.Session) error { return w.SetPassword(t.Context(), s.User.ID, "an0ther-Pass!") }, 401},
		"ended":        {func(w *world, s *auth.Session) error { return w.EndSessions(t.Context(), s.User.ID) }, 401},
		"deleted":      {func(w *world, s *auth.Session) error { return w.Delete(t.Context(), s.User.ID) }, 401},
		"by store":     {func(w *world, s *auth.Session) error { return w.db.SetStamp(t.Context(), s.User.ID, "x") }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.admin()
			s := w.member("bia@example.com")
			again := w.must(w.SignIn(request("/"), "bia@example.com", password))
			for _, by := range transports {
				if got := w.status(by(s.Token)); got != 200 {
					t.Fatal("before:", got)
				}
			}
			if err := c.end(w, s); err != nil {
				t.Fatal(err)
			}
			for name, by := range transports {
				if got := w.status(by(s.Token)); got != 401 {
					t.Errorf("%s: %d", name, got)
				}
			}
			if got := w.status(bearer(again.Token)); got != c.other {
				t.Errorf("the other session: %d, want %d", got, c.other)
			}
		})
	}
}

// A role counts for the next request of whoever has it.
func TestRoleCountsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin()
	s := w.member("bia@example.com")
	role := func() any {
		id, err := w.Authenticate(bearer(s.Token))
		if err != nil {
			t.Fatal(err)
		}
		return id.Who.Role
	}
	for _, want := range []string{"user", "admin", "pending"} {
		if _, err := w.Change(t.Context(), s.User.ID, roleChange(want)); err != nil {
			t.Fatal(err)
		}
		if got := role(); got != *roleChange(want).Role {
			t.Errorf("role %v, want %s", got, want)
		}
	}
}

func TestSessionLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin()
	for text, want := range map[string]int64{"1h": epoch + 3600, "-1": 0, "0": 0} {
		w.set(setting.JWTExpiresIn.Name, text)
		s := w.must(w.SignIn(request("/"), "ana@example.com", password))
		if s.ExpiresAt != want {
			t.Errorf("%s: expires at %d, want %d", text, s.ExpiresAt, want)
		}
		if got := w.status(bearer(s.Token)); got != 200 {
			t.Errorf("%s: %d", text, got)
		}
	}
	endless := w.must(w.SignIn(request("/"), "ana@example.com", password))
	w.advance(20 * 365 * 24 * time.Hour)
	if got := w.status(bearer(endless.Token)); got != 401 && endless.ExpiresAt != 0 {
		t.Errorf("after its end: %d", got)
	}
}

// A token that was seen while it was good still ends when it should.
func TestSeenTokenExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := bearer(w.admin().Token)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 200}, {28*24*time.Hour + 59*time.Second, 200}, {time.Second, 401}, {0, 401}} {
		w.advance(step.after)
		if got := w.status(r); got != step.want {
			t.Errorf("%v later: %d, want %d", step.after, got, step.want)
		}
	}
}

func FuzzToken(f *testing.F) {
	w := newWorld(f)
	ana := w.admin()
	forger := newForger(f, w, ana.Token)
	f.Add(ana.Token)
	f.Add("")
	f.Add("a.b.c")
	f.Add("sk-x")
	f.Add(forger.forge(f, jwt.SigningMethodHS256, forger.key, jwt.MapClaims{"exp": "x"}, nil))
	f.Add(forger.forge(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil))
	f.Fuzz(func(t *testing.T, token string) {
		r := request("/")
		r.Header["Authorization"] = []string{"Bearer " + token}
		id, err := w.Authenticate(r)
		if err == nil && id.Who != nil && strings.TrimSpace(token) != ana.Token {
			t.Fatalf("%q opens the door", token)
		}
	})
}

package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"portico/internal/errdefs"
	"portico/internal/setting"
	"portico/internal/user"
)

const (
	// minSecret is the fewest bytes that a signing secret may have.
	minSecret = 32
	// leeway is how far clocks of servers may differ.
	leeway = time.Minute
	// longestToken bounds what is parsed as a token.
	longestToken = 8 << 10
	// sessionType is the only claim "typ" that opens a door here.
	sessionType = "session"
	// defaultLife is how long a session lasts when the setting makes no sense.
	defaultLife = 4 * 7 * 24 * time.Hour
)

// claims are the content of a session token.
type claims struct {
	ID           string `json:"id"`
	Type         string `json:"typ"`
	AuthMethod   string `json:"auth_method"`
	AuthTime     int64  `json:"auth_time"`
	SessionStamp string `json:"session_stamp"`
	MFAVerified  bool   `json:"mfa_verified"`
	jwt.RegisteredClaims
}

// How somebody signed in, for the claim auth_method.
const (
	withPassword = "password"
	withHeader   = "trusted_header"
	withNothing  = "system"
)

// signingKey derives the key of session tokens from the secret, so that the
// secret can serve other purposes without one signature standing for another.
func signingKey(secret []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, nil, "portico session token 1", 32)
}

// mint makes a session token. expiresAt is 0 for one without an end.
func (s *Service) mint(u *user.User, stamp, method string) (token string, expiresAt int64, err error) {
	jti, err := s.newID()
	if err != nil {
		return "", 0, err
	}
	now := s.now()
	c := claims{
		ID: u.ID, Type: sessionType, AuthMethod: method, AuthTime: now.Unix(), SessionStamp: stamp,
		RegisteredClaims: jwt.RegisteredClaims{ID: jti, IssuedAt: jwt.NewNumericDate(now)},
	}
	if life := s.sessionLife(); life > 0 {
		end := now.Add(life)
		c.ExpiresAt = jwt.NewNumericDate(end)
		expiresAt = end.Unix()
	}
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(s.signing)
	return token, expiresAt, err
}

// parseToken checks everything about a token that needs no look at the person.
func (s *Service) parseToken(token string) (*claims, error) {
	var c claims
	_, err := s.parser().ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		// What names another key, or demands what is not understood, is refused.
		for name := range t.Header {
			if name != "alg" && name != "typ" {
				return nil, errors.New("unknown header " + strconv.Quote(name))
			}
		}
		return s.signing, nil
	})
	switch {
	case err != nil:
		return nil, err
	case c.Type != sessionType:
		return nil, errors.New("not a session token")
	case c.ID == "" || c.SessionStamp == "" || c.RegisteredClaims.ID == "":
		return nil, errors.New("a claim is missing")
	case len(c.Audience) > 0 || c.Issuer != "" || c.Subject != "":
		return nil, errors.New("made for somebody else")
	}
	return &c, nil
}

func (s *Service) parser() *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithLeeway(leeway), jwt.WithIssuedAt(), jwt.WithStrictDecoding(), jwt.WithTimeFunc(s.now))
}

// claimsOf is parseToken with a memory: that a signature was right stays
// right, only the end must be looked at again.
func (s *Service) claimsOf(token string) (*claims, error) {
	if len(token) > longestToken {
		return nil, errors.New("token too long")
	}
	hash := hashToken(token)
	if c, ok := s.tokens.get(hash); ok {
		if c.ExpiresAt != nil && !s.now().Before(c.ExpiresAt.Add(leeway)) {
			s.tokens.drop(hash)
			return nil, jwt.ErrTokenExpired
		}
		return c, nil
	}
	c, err := s.parseToken(token)
	if err == nil {
		s.tokens.put(hash, c)
	}
	return c, err
}

// hashToken is what parsed tokens are remembered by. Usual ones are copied to
// the stack.
func hashToken(token string) [32]byte {
	var buf [1024]byte
	if len(token) > len(buf) {
		return sha256.Sum256([]byte(token))
	}
	return sha256.Sum256(buf[:copy(buf[:], token)])
}

// byToken finds the person of a session token.
func (s *Service) byToken(r *http.Request, token string) (Identity, error) {
	c, err := s.claimsOf(token)
	if err != nil {
		if errors.Is(err, jwt.ErrTokenExpired) {
			return Identity{}, errdefs.New(errdefs.Unauthenticated, "Your session has expired. Sign in again.").WithCause(err)
		}
		return Identity{}, errdefs.New(errdefs.Unauthenticated, "The token in this request is not valid. Sign in again.").WithCause(err)
	}
	p, err := s.person(r.Context(), c.ID)
	if err != nil {
		if errdefs.Is(err, errdefs.NotFound) {
			return Identity{}, errGone()
		}
		return Identity{}, internal(err)
	}
	if _, out := p.revoked[c.RegisteredClaims.ID]; out || c.SessionStamp != p.stamp {
		return Identity{}, errdefs.New(errdefs.Unauthenticated, "This session was ended. Sign in again.")
	}
	// A proxy that vouches for somebody else has a new person at the browser.
	if email := s.trustedEmail(r); email != "" && email != p.user.Email {
		return Identity{}, errdefs.New(errdefs.Unauthenticated, "This session belongs to somebody else than your proxy says you are. Sign in again.")
	}
	s.see(p, s.now().Unix())
	id := Identity{Who: p.byToken, TokenID: c.RegisteredClaims.ID}
	if c.ExpiresAt != nil {
		id.TokenExpiry = c.ExpiresAt.Unix()
	}
	return id, nil
}

// sessionLife is how long a new session lasts; 0 is for ever.
func (s *Service) sessionLife() time.Duration {
	d, err := setting.ParseLife(setting.Get(s.settings, setting.JWTExpiresIn))
	if err != nil {
		return defaultLife
	}
	return d
}

// Package auth knows who is calling: passwords, session tokens, API keys,
// headers of a trusted proxy. It turns the credential of a request into an
// access.Principal, from memory when it can, and keeps what it holds in memory
// true by listening to the events of every change.
//
//	request ─→ credential.go ─┬→ key.go (hash → key)  ─┐
//	                          ├→ token.go (JWT)       ─┼→ person.go (id → person) ─→ Identity
//	                          └→ proxy.go (headers)   ─┘
//
// What a caller may do with what they found is not decided here but in package
// access; which door a route has, in the route table.
package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/setting"
	"portico/internal/user"
)

// Config is what the operator settled before the start. The zero value of each
// field but Secret is a safe default.
type Config struct {
	// Secret signs sessions (WEBUI_SECRET_KEY), at least 32 bytes. Servers on
	// one database need the same.
	Secret []byte
	// Off lets everybody in as the administrator admin@localhost (WEBUI_AUTH=false).
	Off bool
	// Trusted names the headers by which a proxy says who calls.
	Trusted TrustedHeaders
	// Proxies are the networks whose X-Forwarded-For and trusted headers are
	// believed (TRUSTED_PROXIES).
	Proxies []netip.Prefix
	// KeyHeader carries an API key beside Authorization (CUSTOM_API_KEY_HEADER);
	// "" is x-api-key.
	KeyHeader string
	// CookieSameSite is "lax" (also ""), "strict" or "none"; with "none" the
	// cookie is always Secure.
	CookieSameSite string
	CookieSecure   bool
	// Hashing says how new passwords are hashed.
	Hashing Hashing
	// Limits bound sign-ins and sign-ups.
	Limits Limits
	// Policy tells which callers see equal sets of models.
	Policy access.Policy
	// FlushEvery is how often the last use of keys and people is written; 0 is
	// five seconds.
	FlushEvery time.Duration

	Now    func() time.Time // nil is time.Now
	Random io.Reader        // nil is crypto/rand
	Log    *slog.Logger     // nil is slog.Default()
}

// TrustedHeaders name the headers by which a proxy says who is calling; an
// empty Email switches them all off.
type TrustedHeaders struct{ Email, Name, Groups, Role string }

// Identity is who sent a request, and by what.
type Identity struct {
	// Who is nil when no credential was sent.
	Who *access.Principal
	// TokenID and TokenExpiry are the jti and exp of a session token; expiry 0
	// is never.
	TokenID     string
	TokenExpiry int64
	// Ambient tells that a browser sends the credential by itself (cookie,
	// proxy, no sign-in), so that a page of another site could have caused the
	// request: its origin must be checked.
	Ambient bool
}

// Service answers who is calling. It is safe for concurrent use.
type Service struct {
	cfg      Config
	users    user.Store
	store    Store
	settings *setting.Settings
	now      func() time.Time
	random   io.Reader
	log      *slog.Logger

	signing []byte // key of session tokens
	dummy   string // hash that unknown accounts are compared with
	hashing *hasher
	limits  *limits

	people  *cache[string, *person]
	keys    *cache[[32]byte, *keyEntry]
	tokens  *cache[[32]byte, *claims] // whose signatures were right
	unknown *misses
	crowded *turnstile             // for addresses from which many unknown keys came
	emails  *cache[string, string] // e-mail of a trusted header → user id
	allowed atomic.Pointer[keyDefault]

	usedKeys, seenPeople touches

	newKeys   sync.Mutex  // held while a key is counted and made
	first     sync.Mutex  // held while somebody may become the first person
	populated atomic.Bool // there is somebody: never false again
	setup     setupLink

	unsubscribe func()
	stop        chan struct{}
	stopped     sync.WaitGroup
	closing     sync.Once
}

// New makes a Service and starts its writer of last-use times. It subscribes
// to bus; Close ends both. New runs no SQL.
func New(cfg Config, users user.Store, store Store, settings *setting.Settings, bus *event.Bus) (*Service, error) {
	if len(cfg.Secret) < minSecret {
		return nil, errdefs.Newf(errdefs.Invalid,
			"The key that signs sessions has %d bytes and must have at least %d. Set WEBUI_SECRET_KEY, for example to the output of: openssl rand -hex 32", len(cfg.Secret), minSecret)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.FlushEvery <= 0 {
		cfg.FlushEvery = 5 * time.Second
	}
	cfg.KeyHeader = canonicalHeader(cfg.KeyHeader, "X-Api-Key")
	cfg.Trusted = cfg.Trusted.canonical()
	s := &Service{
		cfg: cfg, users: users, store: store, settings: settings,
		now: cfg.Now, random: cfg.Random, log: cfg.Log,
		limits: newLimits(cfg.Limits, cfg.Now),
		stop:   make(chan struct{}),
	}
	var err error
	if s.signing, err = signingKey(cfg.Secret); err != nil {
		return nil, err
	}
	if s.hashing, err = newHasher(cfg.Hashing, cfg.Random); err != nil {
		return nil, err
	}
	if s.dummy, err = s.hashing.dummy(); err != nil {
		return nil, err
	}
	s.people = newCache[string, *person](maxCached, shardOfString)
	s.keys = newCache[[32]byte, *keyEntry](maxCached, shardOfHash)
	s.tokens = newCache[[32]byte, *claims](maxTokens, shardOfHash)
	s.emails = newCache[string, string](maxCached, shardOfString)
	s.unknown = newMisses(cfg.Now)
	s.crowded = newTurnstile()
	s.unsubscribe = bus.Subscribe(s.observe)
	s.stopped.Go(s.flushLoop)
	return s, nil
}

// The caches are bounded, in entries.
const (
	maxCached = 100_000
	maxTokens = 20_000
)

// Close writes what is left to write and stops.
func (s *Service) Close() error {
	s.closing.Do(func() {
		s.unsubscribe()
		close(s.stop)
	})
	s.stopped.Wait()
	return s.flush(context.Background())
}

// observe drops from memory what an event says has changed.
func (s *Service) observe(e event.Event) {
	switch e.Topic {
	case event.User:
		s.people.drop(e.ID)
		s.emails.reset()
	case event.Key:
		if hash, ok := parseHash(e.ID); ok {
			s.unknown.forget(hash)
			s.keys.drop(hash)
		}
	case event.Group:
		// Who comes or goes is told of by name.
		s.people.dropAll(func(p *person) bool { return slices.Contains(p.groups, e.ID) })
	case event.Reset:
		s.people.reset()
		s.keys.reset()
		s.emails.reset()
		s.unknown.reset()
	}
}

// Authenticate says who sent r. Without any credential Identity.Who is nil and
// there is no error; a credential that is not valid is an error, of a kind and
// with a sentence that may be answered. A warm API key costs no allocation and
// no SQL.
func (s *Service) Authenticate(r *http.Request) (Identity, error) {
	// Two readers of the same head could take one each: a proxy that checked the
	// last, and we the first.
	if len(r.Header["Authorization"]) > 1 || len(r.Header[s.cfg.KeyHeader]) > 1 {
		return Identity{}, errTwice
	}
	cred := s.credentialOf(r)
	if cred.secret == "" {
		return s.withoutCredential(r)
	}
	var id Identity
	var err error
	if isKey(cred.secret) {
		id, err = s.byKey(r, cred.secret)
	} else {
		id, err = s.byToken(r, cred.secret)
	}
	if err != nil {
		return Identity{}, err
	}
	id.Ambient = cred.cookie
	return id, nil
}

var errTwice = errdefs.New(errdefs.Unauthenticated, "The request carries the same credential header more than once. Send it once.")

// withoutCredential is for requests that carry no secret of their own.
func (s *Service) withoutCredential(r *http.Request) (Identity, error) {
	if email := s.trustedEmail(r); email != "" {
		return s.byHeader(r, email)
	}
	if s.cfg.Off {
		return s.bySystem(r.Context())
	}
	return Identity{}, nil
}

// internal hides the text of err from callers, unless err was made for them
// or says that they have gone.
func internal(err error) error {
	if errors.Is(err, context.Canceled) {
		return errdefs.New(errdefs.Timeout, "The request ended before it was answered.").WithCause(err)
	}
	return errdefs.From(err)
}

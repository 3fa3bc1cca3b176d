package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/setting"
	"portico/internal/user"
)

// keyPrefix begins every API key; no session token does.
const keyPrefix = "sk-"

// longestKey bounds what is hashed to find out that it is no key of ours.
const longestKey = 256

// keyEntry is a key in memory. The secret is not in it.
type keyEntry struct {
	key   *Key
	used  touch
	bound atomic.Pointer[bound]
}

// bound is a key with its owner as the owner is now. It is made anew when the
// person in memory is another one.
type bound struct {
	person *person
	who    *access.Principal
}

// isKey tells a key from a session token.
func isKey(secret string) bool { return strings.HasPrefix(secret, keyPrefix) }

// hashKey is what keys are kept and found by. The copy stays on the stack.
func hashKey(secret string) [32]byte {
	var buf [longestKey]byte
	return sha256.Sum256(buf[:copy(buf[:], secret)])
}

// parseHash reads the id of a "key" event.
func parseHash(id string) (hash [32]byte, ok bool) {
	n, err := hex.Decode(hash[:], []byte(id))
	return hash, err == nil && n == len(hash)
}

// byKey finds the owner of an API key. Everything it needs is in memory once
// the key was seen.
func (s *Service) byKey(r *http.Request, secret string) (Identity, error) {
	if len(secret) > longestKey {
		return Identity{}, errUnknownKey()
	}
	hash := hashKey(secret)
	e, ok := s.keys.get(hash)
	if !ok {
		var err error
		if e, err = s.loadKey(r, hash); err != nil {
			return Identity{}, err
		}
	}
	p, ok := s.people.get(e.key.UserID)
	b := e.bound.Load()
	if !ok || b == nil || b.person != p {
		var err error
		if b, err = s.bind(r.Context(), e); err != nil {
			return Identity{}, err
		}
	}
	now := s.now()
	if err := s.mayUseKey(e.key, b.person, r.URL.Path, now); err != nil {
		return Identity{}, err
	}
	s.usedKeys.use(&e.used, now.Unix())
	s.see(b.person, now.Unix())
	return Identity{Who: b.who}, nil
}

// bind joins a key with its owner.
func (s *Service) bind(ctx context.Context, e *keyEntry) (*bound, error) {
	p, err := s.person(ctx, e.key.UserID)
	if errdefs.Is(err, errdefs.NotFound) {
		return nil, errGone()
	}
	if err != nil {
		return nil, internal(err)
	}
	b := &bound{person: p, who: s.principal(p, access.ByKey, e.key)}
	e.bound.Store(b)
	return b, nil
}

// loadKey reads a key that is not in memory. Those who come from where many
// unknown keys came from are let through one at a time.
func (s *Service) loadKey(r *http.Request, hash [32]byte) (*keyEntry, error) {
	if s.unknown.has(hash) {
		return nil, errUnknownKey()
	}
	address, known := nameOf(s.Address(r)), func() {}
	if wait := s.limits.unknownKeys.take(address); wait > 0 {
		if !s.crowded.enter(r.Context()) {
			return nil, tooMany("Too many API keys that do not exist were tried from this address.", wait)
		}
		defer s.crowded.leave()
	} else {
		known = func() { s.limits.unknownKeys.give(address) }
	}
	mark := s.unknown.mark()
	e, err := s.keys.load(r.Context(), hash, func(ctx context.Context) (*keyEntry, error) {
		k, err := s.store.KeyByHash(ctx, hash)
		if err != nil {
			return nil, err
		}
		e := &keyEntry{key: k}
		e.used.id = k.ID
		return e, nil
	})
	if errdefs.Is(err, errdefs.NotFound) {
		s.unknown.add(hash, mark)
		return nil, errUnknownKey()
	}
	known()
	if err != nil {
		return nil, internal(err)
	}
	return e, nil
}

// mayUseKey applies what an administrator and the key itself say about where
// and when it may be used.
func (s *Service) mayUseKey(k *Key, p *person, path string, now time.Time) error {
	switch {
	case k.ExpiresAt != 0 && now.Unix() >= k.ExpiresAt:
		return errdefs.New(errdefs.Unauthenticated, "This API key has expired. Make a new one.")
	case !s.keysEnabled(p):
		return errdefs.New(errdefs.Forbidden, "API keys may not be used here. Ask an administrator to allow them.")
	case setting.Get(s.settings, setting.APIKeysRestricted) && !s.endpointAllowed(path):
		return errdefs.New(errdefs.Forbidden, "The administrator does not let API keys call this path.")
	case len(k.Routes) > 0 && !covered(k.Routes, path):
		return errdefs.New(errdefs.Forbidden, "This API key is not for this path. Use a key with a wider scope.")
	}
	return nil
}

// keysEnabled reports whether somebody may have and use API keys at all.
func (s *Service) keysEnabled(p *person) bool {
	if !setting.Get(s.settings, setting.EnableAPIKeys) {
		return false
	}
	return p.user.Role == user.Admin || p.keysByGroup || s.defaultAllowsKeys()
}

// keyDefault is what the default permissions say, as long as they are the same bytes.
type keyDefault struct {
	raw *byte
	ok  bool
}

// defaultAllowsKeys reads features.api_keys of the default permissions, parsed
// once for each value of the setting.
func (s *Service) defaultAllowsKeys() bool {
	raw := setting.Get(s.settings, setting.UserPermissions)
	if len(raw) == 0 {
		return false
	}
	if d := s.allowed.Load(); d != nil && d.raw == &raw[0] {
		return d.ok
	}
	ok := allowsKeys(raw)
	s.allowed.Store(&keyDefault{raw: &raw[0], ok: ok})
	return ok
}

// allowsKeys reads features.api_keys of a permissions object.
func allowsKeys(permissions []byte) bool {
	p, err := setting.ParsePermissions(permissions)
	return err == nil && p.Has("features.api_keys")
}

// endpointAllowed applies the administrator's list of paths.
func (s *Service) endpointAllowed(path string) bool {
	for entry := range strings.SplitSeq(setting.Get(s.settings, setting.APIKeysAllowedEndpoints), ",") {
		if under(strings.TrimSpace(entry), path) {
			return true
		}
	}
	return false
}

func covered(prefixes []string, path string) bool {
	for _, p := range prefixes {
		if under(p, path) {
			return true
		}
	}
	return false
}

// under reports whether path is prefix or lies below it: /api/v1 covers
// /api/v1/files but not /api/v10.
func under(prefix, path string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix == "" || !strings.HasPrefix(path, prefix) {
		return false
	}
	return len(path) == len(prefix) || path[len(prefix)] == '/'
}

func errUnknownKey() error {
	return errdefs.New(errdefs.Unauthenticated, "This API key is not known here, or was revoked. Make a new one.")
}

// misses remembers for a moment which keys do not exist.
type misses struct {
	now   func() time.Time
	mu    sync.Mutex
	epoch uint64
	until map[[32]byte]int64 // seconds since 1970
}

const (
	missSeconds = 10
	maxMisses   = 10_000
)

func newMisses(now func() time.Time) *misses {
	return &misses{now: now, until: map[[32]byte]int64{}}
}

func (m *misses) has(hash [32]byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until, ok := m.until[hash]
	return ok && m.now().Unix() < until
}

// mark is taken before the database is asked; add keeps the answer only if no
// key was made since.
func (m *misses) mark() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epoch
}

func (m *misses) add(hash [32]byte, mark uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mark != m.epoch {
		return
	}
	if len(m.until) >= maxMisses {
		clear(m.until)
	}
	m.until[hash] = m.now().Unix() + missSeconds
}

func (m *misses) forget(hash [32]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	delete(m.until, hash)
}

func (m *misses) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	clear(m.until)
}

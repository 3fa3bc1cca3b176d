package auth

import (
	"context"
	"encoding/hex"
	"io"
	"slices"
	"strings"

	"portico/internal/errdefs"
)

// DefaultKey is the name of the key that clients of the one-key routes have.
const DefaultKey = "default"

// KeySpec is what the owner of a key decides.
type KeySpec struct {
	Name      string
	Models    []string // scope: model ids; empty is all
	Routes    []string // scope: path prefixes; empty is all
	ExpiresAt int64    // seconds since 1970; 0 is never
}

const (
	keyBytes  = 16 // 128 bits
	maxKeys   = 100
	maxScopes = 256
	maxScope  = 256 // bytes
)

// CreateKey makes a key for somebody. The secret is in the answer and nowhere
// else. With replace, an earlier key of that name ends at the same moment.
func (s *Service) CreateKey(ctx context.Context, userID string, spec KeySpec, replace bool) (k *Key, secret string, err error) {
	if err := s.mayHaveKeys(ctx, userID); err != nil {
		return nil, "", err
	}
	if err := s.checkSpec(&spec); err != nil {
		return nil, "", err
	}
	// Of many that are asked for at once, none is to slip past the count.
	s.newKeys.Lock()
	defer s.newKeys.Unlock()
	if err := s.roomForKey(ctx, userID, spec.Name, replace); err != nil {
		return nil, "", err
	}
	raw := make([]byte, keyBytes)
	if _, err := io.ReadFull(s.random, raw); err != nil {
		return nil, "", internal(err)
	}
	secret = keyPrefix + hex.EncodeToString(raw)
	id, err := s.newID()
	if err != nil {
		return nil, "", internal(err)
	}
	k = &Key{
		ID: id, UserID: userID, Name: spec.Name, Hash: hashKey(secret),
		Prefix: secret[:len(keyPrefix)+4], Last4: secret[len(secret)-4:],
		Models: spec.Models, Routes: spec.Routes, ExpiresAt: spec.ExpiresAt, CreatedAt: s.now().Unix(),
	}
	if err := s.store.CreateKey(ctx, k, replace); err != nil {
		if errdefs.Is(err, errdefs.Conflict) {
			return nil, "", errKeyName(spec.Name)
		}
		return nil, "", internal(err)
	}
	s.unknown.forget(k.Hash)
	return k, secret, nil
}

func errKeyName(name string) error {
	return errdefs.Newf(errdefs.Conflict, "You have a key named %q already. Choose another name.", name)
}

func (s *Service) roomForKey(ctx context.Context, userID, name string, replace bool) error {
	keys, err := s.store.KeysOf(ctx, userID)
	if err != nil {
		return internal(err)
	}
	replaces := replace && slices.ContainsFunc(keys, func(k *Key) bool { return k.Name == name })
	if len(keys) >= maxKeys && !replaces {
		return errdefs.Newf(errdefs.Conflict, "You have %d keys, which is the most there may be. Delete one first.", len(keys))
	}
	return nil
}

// mayHaveKeys refuses who may not use keys: one that is made for nothing would
// only mislead.
func (s *Service) mayHaveKeys(ctx context.Context, userID string) error {
	p, err := s.person(ctx, userID)
	if err != nil {
		return internal(err)
	}
	if !p.byToken.Verified() {
		return errdefs.New(errdefs.Forbidden, "Your account waits for approval. API keys can be made after that.")
	}
	if !s.keysEnabled(p) {
		return errdefs.New(errdefs.Forbidden, "You may not have API keys here. Ask an administrator to allow them.")
	}
	return nil
}

// Keys lists somebody's keys, oldest first.
func (s *Service) Keys(ctx context.Context, userID string) ([]*Key, error) {
	keys, err := s.store.KeysOf(ctx, userID)
	if err != nil {
		return nil, internal(err)
	}
	slices.SortStableFunc(keys, func(a, b *Key) int { return int(a.CreatedAt - b.CreatedAt) })
	return keys, nil
}

// KeyNamed finds somebody's key by its name.
func (s *Service) KeyNamed(ctx context.Context, userID, name string) (*Key, error) {
	return s.findKey(ctx, userID, func(k *Key) bool { return k.Name == name })
}

// Key finds somebody's key by its id.
func (s *Service) Key(ctx context.Context, userID, id string) (*Key, error) {
	return s.findKey(ctx, userID, func(k *Key) bool { return k.ID == id })
}

func (s *Service) findKey(ctx context.Context, userID string, is func(*Key) bool) (*Key, error) {
	keys, err := s.store.KeysOf(ctx, userID)
	if err != nil {
		return nil, internal(err)
	}
	if i := slices.IndexFunc(keys, is); i >= 0 {
		return keys[i], nil
	}
	return nil, errdefs.New(errdefs.NotFound, "You have no such API key. Make one first.")
}

// UpdateKey changes what the owner of a key decides, from what it is to what
// change makes of it; the secret stays.
func (s *Service) UpdateKey(ctx context.Context, userID, id string, change func(KeySpec) KeySpec) (*Key, error) {
	k, err := s.Key(ctx, userID, id)
	if err != nil {
		return nil, err
	}
	was := KeySpec{Name: k.Name, Models: k.Models, Routes: k.Routes, ExpiresAt: k.ExpiresAt}
	spec := change(was)
	if err := s.checkSpec(&spec); err != nil {
		return nil, err
	}
	k.Name, k.Models, k.Routes, k.ExpiresAt = spec.Name, spec.Models, spec.Routes, spec.ExpiresAt
	if err := s.store.UpdateKey(ctx, k); err != nil {
		if errdefs.Is(err, errdefs.Conflict) {
			return nil, errKeyName(spec.Name)
		}
		return nil, internal(err)
	}
	s.keys.drop(k.Hash)
	return k, nil
}

// DeleteKey ends a key at once.
func (s *Service) DeleteKey(ctx context.Context, userID, id string) error {
	k, err := s.Key(ctx, userID, id)
	if err != nil {
		return err
	}
	return s.endKey(ctx, k)
}

// DeleteKeyNamed ends the key of that name, if there is one.
func (s *Service) DeleteKeyNamed(ctx context.Context, userID, name string) error {
	k, err := s.KeyNamed(ctx, userID, name)
	if errdefs.Is(err, errdefs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.endKey(ctx, k)
}

func (s *Service) endKey(ctx context.Context, k *Key) error {
	if err := s.store.DeleteKey(ctx, k.UserID, k.ID); err != nil {
		return internal(err)
	}
	s.keys.drop(k.Hash)
	return nil
}

// checkSpec tidies and bounds what was asked for.
func (s *Service) checkSpec(spec *KeySpec) error {
	spec.Name = strings.TrimSpace(spec.Name)
	if err := checkName(spec.Name); err != nil {
		return err
	}
	if len(spec.Models) > maxScopes || len(spec.Routes) > maxScopes {
		return errdefs.Newf(errdefs.Invalid, "A key may name at most %d models and %d routes.", maxScopes, maxScopes)
	}
	for _, scope := range slices.Concat(spec.Models, spec.Routes) {
		if scope == "" || len(scope) > maxScope {
			return errdefs.Newf(errdefs.Invalid, "A model or route of a key is empty or longer than %d bytes.", maxScope)
		}
	}
	for _, route := range spec.Routes {
		if route[0] != '/' || route == "/" {
			return errdefs.New(errdefs.Invalid, "A route of a key is a path such as /api/chat. For all routes, name none.")
		}
	}
	if spec.ExpiresAt < 0 || spec.ExpiresAt != 0 && spec.ExpiresAt <= s.now().Unix() {
		return errdefs.New(errdefs.Invalid, "The key would have expired already. Give a time to come, in seconds since 1970, or 0 for never.")
	}
	return nil
}

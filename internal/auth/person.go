package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync/atomic"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/setting"
	"portico/internal/user"
)

// person is what is held in memory of somebody: all that a request needs to
// know of its caller. It is immutable but for the time they were last seen;
// any change of the person drops it and a new one is read.
type person struct {
	user    *user.User
	groups  []string // sorted
	stamp   string
	revoked map[string]struct{} // jtis of tokens that were signed out
	// granted is what any group of theirs lets them do; keysByGroup is what that
	// says of API keys, which is asked at every request.
	granted     setting.Permissions
	keysByGroup bool

	byToken, byHeader, bySystem *access.Principal

	seen    touch
	headers atomic.Pointer[string] // role and groups that a proxy last sent
}

// person gives somebody from memory or from the database. Who does not exist
// is errdefs.NotFound.
func (s *Service) person(ctx context.Context, id string) (*person, error) {
	if p, ok := s.people.get(id); ok {
		return p, nil
	}
	return s.people.load(ctx, id, func(ctx context.Context) (*person, error) { return s.readPerson(ctx, id) })
}

func (s *Service) readPerson(ctx context.Context, id string) (*person, error) {
	u, err := s.users.UserByID(ctx, id)
	if err != nil {
		return nil, err
	}
	cred, err := s.store.Credential(ctx, id)
	if err != nil {
		return nil, err
	}
	groups, err := s.users.GroupsWith(ctx, id)
	if err != nil {
		return nil, err
	}
	jtis, err := s.store.RevokedTokens(ctx, id, s.now().Unix())
	if err != nil {
		return nil, err
	}
	p := &person{user: u, stamp: cred.Stamp, granted: setting.Permissions{}, revoked: map[string]struct{}{}}
	for _, jti := range jtis {
		p.revoked[jti] = struct{}{}
	}
	for _, g := range groups {
		p.groups = append(p.groups, g.ID)
		own, err := setting.ParsePermissions([]byte(g.Permissions))
		if err != nil {
			s.log.Warn("the permissions of a group make no sense and are left out", "group", g.ID, "err", err)
			continue
		}
		p.granted.Add(own)
	}
	slices.Sort(p.groups)
	p.keysByGroup = p.granted.Has("features.api_keys")
	p.seen.id = id
	p.byToken = s.principal(p, access.ByToken, nil)
	p.byHeader = s.principal(p, access.ByHeader, nil)
	p.bySystem = s.principal(p, access.BySystem, nil)
	return p, nil
}

// Principal gives somebody as the caller of what is done in their name, such
// as work that goes on after their request. Who does not exist is
// errdefs.NotFound.
func (s *Service) Principal(ctx context.Context, userID string) (*access.Principal, error) {
	p, err := s.person(ctx, userID)
	if err != nil {
		return nil, err
	}
	return p.bySystem, nil
}

// principal makes what handlers see of a person. With a key, its scopes are
// part of it.
func (s *Service) principal(p *person, by access.Method, k *Key) *access.Principal {
	who := &access.Principal{
		UserID: p.user.ID, Email: p.user.Email, Name: p.user.Name, Role: p.user.Role,
		Groups: p.groups, Method: by,
	}
	if k != nil {
		who.KeyID, who.Models, who.Routes = k.ID, k.Models, k.Routes
	}
	who.SetID = s.setID(who)
	return who
}

// setID names the set of models that a caller can see. Administrators who see
// everything share one; anybody else may own things or have been granted some
// by name, so their id is part of it, as are their groups.
func (s *Service) setID(who *access.Principal) string {
	var b strings.Builder
	b.WriteString(string(who.Role))
	if !who.IsAdmin() || !s.cfg.Policy.AdminSeesAll {
		b.WriteString("\x00u" + who.UserID)
		for _, g := range who.Groups {
			b.WriteString("\x00g" + g)
		}
	}
	for _, m := range slices.Sorted(slices.Values(who.Models)) {
		b.WriteString("\x00m" + m)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:12])
}

// see records that somebody was here.
func (s *Service) see(p *person, now int64) { s.seenPeople.use(&p.seen, now) }

// errGone is for credentials whose owner does not exist any more.
func errGone() error {
	return errdefs.New(errdefs.Unauthenticated, "The account behind this credential does not exist any more. Sign in again.")
}

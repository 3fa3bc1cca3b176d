package auth

import (
	"context"
	"net/http"
	"net/netip"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/setting"
	"portico/internal/user"
)

// systemEmail is who everybody is when sign-in is switched off.
const systemEmail = "admin@localhost"

// SignIn opens a session. r is the request that asks for it: a trusted proxy
// may vouch for the person in its headers, and its address is what failures
// are counted by.
func (s *Service) SignIn(r *http.Request, email, password string) (*Session, error) {
	ctx := r.Context()
	if s.cfg.Trusted.Email != "" && s.trusts(peer(r)) {
		return s.signInVouched(r)
	}
	if s.cfg.Off {
		p, err := s.system(ctx)
		if err != nil {
			return nil, err
		}
		return s.session(ctx, p.user, withNothing)
	}
	if !setting.Get(s.settings, setting.EnablePasswordAuth) {
		return nil, errdefs.New(errdefs.Forbidden, "Passwords are switched off on this server. Sign in through your organisation.")
	}
	u, err := s.verified(ctx, normalEmail(email), password, s.Address(r))
	if err != nil {
		return nil, err
	}
	return s.session(ctx, u, withPassword)
}

func (s *Service) signInVouched(r *http.Request) (*Session, error) {
	email := s.trustedEmail(r)
	if email == "" {
		return nil, errdefs.New(errdefs.Invalid, "Your proxy did not say who you are. Ask its administrator.")
	}
	p, err := s.vouched(r, email)
	if err != nil {
		return nil, err
	}
	return s.session(r.Context(), p.user, withHeader)
}

// verified checks an e-mail address and a password. An unknown address takes
// as much work as a wrong password and gets the same answer.
func (s *Service) verified(ctx context.Context, email, password string, from netip.Addr) (*user.User, error) {
	address := nameOf(from)
	if wait := s.limits.account.take(email); wait > 0 {
		return nil, tooMany("Too many sign-ins to this account.", wait)
	}
	// Counted now and taken back on success, so that tries at the same moment
	// do not slip through together.
	if wait := s.limits.address.take(address); wait > 0 {
		return nil, tooMany("Too many failed sign-ins from this address.", wait)
	}
	u, stored, err := s.stored(ctx, email)
	if err != nil {
		return nil, internal(err)
	}
	ok, weak, err := s.hashing.verify(ctx, stored, password)
	if err != nil {
		return nil, internal(err)
	}
	if !ok || u == nil {
		return nil, errdefs.New(errdefs.Invalid, "The e-mail address or the password is wrong.")
	}
	s.limits.address.give(address)
	if weak && s.hashing.check(password) == nil {
		s.rehash(ctx, u.ID, stored, password)
	}
	return u, nil
}

// stored gives a person and the hash to compare with, which is a dummy when
// there is no such person or no password opens the account.
func (s *Service) stored(ctx context.Context, email string) (*user.User, string, error) {
	u, err := s.users.UserByEmail(ctx, email)
	if errdefs.Is(err, errdefs.NotFound) {
		return nil, s.dummy, nil
	}
	if err != nil {
		return nil, "", err
	}
	c, err := s.store.Credential(ctx, u.ID)
	if err != nil && !errdefs.Is(err, errdefs.NotFound) {
		return nil, "", err
	}
	if err != nil || c.PasswordHash == "" {
		return nil, s.dummy, nil
	}
	return u, c.PasswordHash, nil
}

// rehash replaces a hash by a stronger one. That it fails costs nothing but
// the next try.
func (s *Service) rehash(ctx context.Context, id, old, password string) {
	hash, err := s.hashing.hash(ctx, password)
	if err == nil {
		err = s.store.UpgradeHash(ctx, id, old, hash)
	}
	if err != nil {
		s.log.Warn("a password hash could not be made stronger", "user", id, "err", err)
	}
}

// session makes the token of somebody who proved who they are.
func (s *Service) session(ctx context.Context, u *user.User, method string) (*Session, error) {
	p, err := s.person(ctx, u.ID)
	if err != nil {
		return nil, internal(err)
	}
	token, end, err := s.mint(p.user, p.stamp, method)
	if err != nil {
		return nil, internal(err)
	}
	s.see(p, s.now().Unix())
	return &Session{User: p.user, Token: token, ExpiresAt: end}, nil
}

// Session is the session of a caller who has one already: its token is the
// one they sent, or a new one where the request carried none.
func (s *Service) Session(r *http.Request, who *access.Principal, expiresAt int64) (*Session, error) {
	ctx := r.Context()
	p, err := s.person(ctx, who.UserID)
	if err != nil {
		return nil, internal(err)
	}
	switch who.Method {
	case access.ByHeader:
		return s.session(ctx, p.user, withHeader)
	case access.BySystem:
		return s.session(ctx, p.user, withNothing)
	}
	return &Session{User: p.user, Token: s.credentialOf(r).secret, ExpiresAt: expiresAt}, nil
}

// SignOut ends one session token at once, on all servers. Nothing happens when
// tokenID is empty.
func (s *Service) SignOut(ctx context.Context, who *access.Principal, tokenID string, expiresAt int64) error {
	if who == nil || tokenID == "" {
		return nil
	}
	until := expiresAt
	if until != 0 { // tokens are accepted a little beyond their end
		until += int64(2 * leeway.Seconds())
	}
	if err := s.store.RevokeToken(ctx, tokenID, who.UserID, until); err != nil {
		return internal(err)
	}
	s.people.drop(who.UserID)
	return nil
}

// bySystem is everybody when sign-in is switched off.
func (s *Service) bySystem(ctx context.Context) (Identity, error) {
	p, err := s.system(ctx)
	if err != nil {
		return Identity{}, err
	}
	s.see(p, s.now().Unix())
	return Identity{Who: p.bySystem, Ambient: true}, nil
}

// system finds or makes admin@localhost, which there may only be when nobody
// else has an account.
func (s *Service) system(ctx context.Context) (*person, error) {
	id, err := s.emails.load(ctx, systemEmail, func(ctx context.Context) (string, error) {
		u, err := s.users.UserByEmail(ctx, systemEmail)
		if err == nil {
			return u.ID, nil
		}
		if !errdefs.Is(err, errdefs.NotFound) {
			return "", err
		}
		s.first.Lock()
		defer s.first.Unlock()
		u = &user.User{Email: systemEmail, Name: "User"}
		if err := s.becomeFirst(ctx, u, ""); !errdefs.Is(err, errdefs.Conflict) {
			return u.ID, err
		}
		// Another server may have made it at the same moment.
		if u, err = s.users.UserByEmail(ctx, systemEmail); err == nil {
			return u.ID, nil
		}
		return "", errdefs.New(errdefs.Invalid, "Sign-in cannot be switched off on a server that has accounts. Start it without WEBUI_AUTH=false, or with an empty data folder.")
	})
	if err != nil {
		return nil, internal(err)
	}
	p, err := s.person(ctx, id)
	if err != nil {
		return nil, internal(err)
	}
	return p, nil
}

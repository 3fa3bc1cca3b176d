package auth

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"portico/internal/errdefs"
	"portico/internal/user"
)

func (h TrustedHeaders) canonical() TrustedHeaders {
	for _, name := range []*string{&h.Email, &h.Name, &h.Groups, &h.Role} {
		*name = canonicalHeader(*name, "")
	}
	return h
}

// Address is where r came from: the peer, or what proxies that are trusted say
// in X-Forwarded-For. It is the zero Addr when the peer has none, as on a
// socket in the file system.
func (s *Service) Address(r *http.Request) netip.Addr {
	at := peer(r)
	if !s.trusts(at) {
		return at
	}
	// Each proxy appends who called it: walk back to the first that is not ours.
	lines := r.Header["X-Forwarded-For"]
	for _, line := range slices.Backward(lines) {
		hops := strings.Split(line, ",")
		for _, hop := range slices.Backward(hops) {
			a, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				return at
			}
			if at = a.Unmap().WithZone(""); !s.trusts(at) {
				return at
			}
		}
	}
	return at
}

func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

func (s *Service) trusts(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	for _, p := range s.cfg.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// trustedEmail is who a trusted proxy says is calling, "" when there is no
// such proxy in between. What anybody else sends is not looked at.
func (s *Service) trustedEmail(r *http.Request) string {
	if s.cfg.Trusted.Email == "" {
		return ""
	}
	v := r.Header[s.cfg.Trusted.Email]
	if len(v) != 1 || !s.trusts(peer(r)) {
		return ""
	}
	return normalEmail(v[0])
}

// byHeader is the person that a trusted proxy names, made on the first visit.
func (s *Service) byHeader(r *http.Request, email string) (Identity, error) {
	p, err := s.vouched(r, email)
	if err != nil {
		return Identity{}, err
	}
	s.see(p, s.now().Unix())
	return Identity{Who: p.byHeader, Ambient: true}, nil
}

// vouched finds or makes the person and gives them the role and groups that
// the proxy says.
func (s *Service) vouched(r *http.Request, email string) (*person, error) {
	ctx := r.Context()
	id, err := s.emails.load(ctx, email, func(ctx context.Context) (string, error) {
		u, err := s.users.UserByEmail(ctx, email)
		if errdefs.Is(err, errdefs.NotFound) {
			u, err = s.createVouched(ctx, r, email)
		}
		if err != nil {
			return "", err
		}
		return u.ID, nil
	})
	if err != nil {
		return nil, internal(err)
	}
	p, err := s.person(ctx, id)
	if err != nil {
		return nil, internal(err)
	}
	said := one(r, s.cfg.Trusted.Role) + "\x00" + one(r, s.cfg.Trusted.Groups)
	if last := p.headers.Load(); said == "\x00" || last != nil && *last == said {
		return p, nil
	}
	if err := s.follow(ctx, p, one(r, s.cfg.Trusted.Role), one(r, s.cfg.Trusted.Groups)); err != nil {
		return nil, internal(err)
	}
	if p, err = s.person(ctx, id); err != nil {
		return nil, internal(err)
	}
	p.headers.Store(&said)
	return p, nil
}

func (s *Service) createVouched(ctx context.Context, r *http.Request, email string) (*user.User, error) {
	if !validEmail(email) {
		return nil, errdefs.New(errdefs.Invalid, "Your proxy sent something else than an e-mail address. Ask its administrator.")
	}
	name := one(r, s.cfg.Trusted.Name)
	if name == "" {
		name = email
	}
	u := &user.User{Email: email, Name: clip(name), Role: s.defaultRole()}
	if err := s.create(ctx, u, ""); err != nil {
		if errdefs.Is(err, errdefs.Conflict) { // somebody was faster
			return s.users.UserByEmail(ctx, email)
		}
		return nil, err
	}
	return u, nil
}

// follow sets role and groups to what the proxy says. Groups that do not exist
// are not made.
func (s *Service) follow(ctx context.Context, p *person, role, groups string) error {
	if want := user.Role(strings.ToLower(role)); want.Valid() && want != p.user.Role {
		_, err := s.users.UpdateUser(ctx, p.user.ID, user.Change{Role: &want}, s.now().Unix())
		if err != nil && !errdefs.Is(err, errdefs.Conflict) { // the last administrator stays one
			return err
		}
	}
	if groups == "" {
		return nil
	}
	names := strings.Split(groups, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	all, err := s.users.Groups(ctx)
	if err != nil {
		return err
	}
	for _, g := range all {
		in, want := slices.Contains(p.groups, g.ID), slices.Contains(names, g.Name)
		switch {
		case want && !in:
			err = s.users.AddMembers(ctx, g.ID, []string{p.user.ID})
		case in && !want:
			err = s.users.RemoveMembers(ctx, g.ID, []string{p.user.ID})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// one is the value of a header that was sent once, "" for no name.
func one(r *http.Request, header string) string {
	if v := r.Header[header]; header != "" && len(v) == 1 {
		return strings.TrimSpace(v[0])
	}
	return ""
}

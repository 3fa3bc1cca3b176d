package auth

import (
	"context"
	"time"

	"portico/internal/errdefs"
	"portico/internal/user"
)

// Add makes an account on behalf of an administrator.
func (s *Service) Add(ctx context.Context, n NewUser) (*Session, error) {
	if n.Role == "" {
		n.Role = user.Pending
	}
	if !n.Role.Valid() {
		return nil, errdefs.New(errdefs.Invalid, "The role must be admin, user or pending.")
	}
	u := &user.User{Email: normalEmail(n.Email), Name: n.Name, ProfileImageURL: n.Image, Role: n.Role}
	if err := s.checkNew(ctx, u, n.Password); err != nil {
		return nil, err
	}
	hash, err := s.hashing.hash(ctx, n.Password)
	if err != nil {
		return nil, internal(err)
	}
	if err := s.create(ctx, u, hash); err != nil {
		return nil, err
	}
	return s.session(ctx, u, withPassword)
}

// ChangePassword replaces the password of somebody who knows the old one, and
// ends all their sessions.
func (s *Service) ChangePassword(ctx context.Context, userID, old, password string) error {
	c, err := s.store.Credential(ctx, userID)
	if err != nil {
		return internal(err)
	}
	if wait := s.limits.account.take(userID); wait > 0 {
		return tooMany("Too many tries to change this password.", wait)
	}
	stored := c.PasswordHash
	if stored == "" {
		stored = s.dummy
	}
	ok, _, err := s.hashing.verify(ctx, stored, old)
	if err != nil {
		return internal(err)
	}
	if !ok {
		return errdefs.New(errdefs.Invalid, "The present password is wrong.")
	}
	return s.SetPassword(ctx, userID, password)
}

// SetPassword replaces a password and ends all sessions of the person.
func (s *Service) SetPassword(ctx context.Context, userID, password string) error {
	if err := s.hashing.check(password); err != nil {
		return err
	}
	hash, err := s.hashing.hash(ctx, password)
	if err != nil {
		return internal(err)
	}
	stamp, err := s.newID()
	if err != nil {
		return internal(err)
	}
	if err := s.store.SetPassword(ctx, userID, hash, stamp); err != nil {
		return internal(err)
	}
	s.people.drop(userID)
	return nil
}

// CheckPassword says what is wrong with a new password, if anything is.
func (s *Service) CheckPassword(password string) error { return s.hashing.check(password) }

// EndSessions ends all session tokens of a person; their API keys stay.
func (s *Service) EndSessions(ctx context.Context, userID string) error {
	stamp, err := s.newID()
	if err != nil {
		return internal(err)
	}
	if err := s.store.SetStamp(ctx, userID, stamp); err != nil {
		return internal(err)
	}
	s.people.drop(userID)
	return nil
}

// Change updates an account, after the rules that a new one must meet. What
// would leave no administrator is refused.
func (s *Service) Change(ctx context.Context, userID string, c user.Change) (*user.User, error) {
	if c.Email != nil {
		email := normalEmail(*c.Email)
		c.Email = &email
		if !validEmail(email) {
			return nil, errdefs.New(errdefs.Invalid, "This is not an e-mail address. Write it like name@example.com.")
		}
		switch other, err := s.users.UserByEmail(ctx, email); {
		case err == nil && other.ID != userID:
			return nil, errEmailTaken()
		case err != nil && !errdefs.Is(err, errdefs.NotFound):
			return nil, internal(err)
		}
	}
	if c.Name != nil {
		if err := checkName(*c.Name); err != nil {
			return nil, err
		}
	}
	if c.ProfileImageURL != nil {
		if err := checkImage(*c.ProfileImageURL); err != nil {
			return nil, err
		}
	}
	if c.Timezone != nil && !validZone(*c.Timezone) {
		return nil, errdefs.New(errdefs.Invalid, "This is not the name of a time zone. Write it like Europe/Zurich.")
	}
	if c.Role != nil && !c.Role.Valid() {
		return nil, errdefs.New(errdefs.Invalid, "The role must be admin, user or pending.")
	}
	if err := checkAbout(&c); err != nil {
		return nil, err
	}
	u, err := s.users.UpdateUser(ctx, userID, c, s.now().Unix())
	if err != nil {
		return nil, internal(err)
	}
	s.people.drop(userID)
	return u, nil
}

// checkAbout bounds what people say of themselves.
func checkAbout(c *user.Change) error {
	for _, text := range []struct {
		name  string
		value *string
		most  int
	}{
		{"bio", c.Bio, 16 << 10}, {"gender", c.Gender, 256},
		{"status_emoji", c.StatusEmoji, 256}, {"status_message", c.StatusMessage, 4 << 10},
	} {
		if text.value != nil && len(*text.value) > text.most {
			return errdefs.Newf(errdefs.Invalid, "%s is too long: it may have at most %d bytes.", text.name, text.most)
		}
	}
	if day := c.DateOfBirth; day != nil && *day != "" {
		if _, err := time.Parse(time.DateOnly, *day); err != nil {
			return errdefs.New(errdefs.Unprocessable, "date_of_birth is not a date. Write it like 1990-12-31.").WithCause(err)
		}
	}
	return nil
}

// Delete removes an account with all that belongs to it. The last
// administrator stays.
func (s *Service) Delete(ctx context.Context, userID string) error {
	if err := s.users.DeleteUser(ctx, userID); err != nil {
		return internal(err)
	}
	s.people.drop(userID)
	s.emails.reset()
	return nil
}

package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"portico/internal/errdefs"
	"portico/internal/setting"
	"portico/internal/user"
)

// NewUser is what somebody gives to get an account.
type NewUser struct {
	Name, Email, Password string
	Image                 string    // profile image: "" is user.DefaultImage
	Role                  user.Role // for Add alone; "" is pending
	SetupToken            string    // of the set-up link; "" without one
}

// Session is somebody who has just signed in.
type Session struct {
	User      *user.User
	Token     string
	ExpiresAt int64 // seconds since 1970; 0 is never
}

// SignUp makes an account. The first one becomes an administrator and closes
// sign-up behind it; of any number that come at once, one is the first.
func (s *Service) SignUp(ctx context.Context, n NewUser, from netip.Addr) (*Session, error) {
	n.Email = normalEmail(n.Email)
	if err := s.maySignUp(ctx, n); err != nil {
		return nil, err
	}
	if wait := s.limits.signUp.take(nameOf(from)); wait > 0 {
		return nil, tooMany("Too many accounts were made from this address.", wait)
	}
	u := &user.User{Email: n.Email, Name: n.Name, ProfileImageURL: n.Image, Role: s.defaultRole()}
	if err := s.checkNew(ctx, u, n.Password); err != nil {
		return nil, err
	}
	hash, err := s.hashing.hash(ctx, n.Password)
	if err != nil {
		return nil, internal(err)
	}
	if err := s.createMember(ctx, u, hash); err != nil {
		return nil, err
	}
	return s.session(ctx, u, withPassword)
}

// maySignUp asks whether sign-up is open.
func (s *Service) maySignUp(ctx context.Context, n NewUser) error {
	someone, err := s.Populated(ctx)
	if err != nil {
		return err
	}
	if someone && (!setting.Get(s.settings, setting.EnableSignup) || !setting.Get(s.settings, setting.EnableLoginForm)) {
		return errSignUpClosed()
	}
	if someone && s.cfg.Off {
		return errdefs.New(errdefs.Forbidden, "Sign-in is switched off on this server, so there are no accounts to make.")
	}
	if !setting.Get(s.settings, setting.EnablePasswordAuth) {
		return errdefs.New(errdefs.Forbidden, "Passwords are switched off on this server. Sign in through your organisation.")
	}
	if !someone && n.SetupToken != "" && !s.setup.valid(n.SetupToken, s.now()) {
		return errdefs.New(errdefs.Forbidden, "This set-up link is not valid any more. Restart the server for a new one, or sign up without it.")
	}
	return nil
}

func errSignUpClosed() error {
	return errdefs.New(errdefs.Forbidden, "Sign-up is closed. Ask an administrator for an account.")
}

// checkNew applies the rules of e-mail, name and password, in the documented order.
func (s *Service) checkNew(ctx context.Context, u *user.User, password string) error {
	if !validEmail(u.Email) {
		return errdefs.New(errdefs.Invalid, "This is not an e-mail address. Write it like name@example.com.")
	}
	switch _, err := s.users.UserByEmail(ctx, u.Email); {
	case err == nil:
		return errEmailTaken()
	case !errdefs.Is(err, errdefs.NotFound):
		return internal(err)
	}
	if err := checkName(u.Name); err != nil {
		return err
	}
	if err := checkImage(u.ProfileImageURL); err != nil {
		return err
	}
	return s.hashing.check(password)
}

func errEmailTaken() error {
	return errdefs.New(errdefs.Invalid, "There is an account with this e-mail address already. Sign in instead.")
}

// createMember makes the account of a sign-up, which must still be open when
// it turns out that somebody else was the first.
func (s *Service) createMember(ctx context.Context, u *user.User, hash string) error {
	if !s.populated.Load() {
		s.first.Lock()
		defer s.first.Unlock()
		someone, err := s.someone(ctx)
		if err != nil {
			return err
		}
		if !someone {
			err := s.becomeFirst(ctx, u, hash)
			if errdefs.Is(err, errdefs.Conflict) { // on another server
				return errSignUpClosed()
			}
			return err
		}
	}
	if !setting.Get(s.settings, setting.EnableSignup) { // since we looked
		return errSignUpClosed()
	}
	return s.insert(ctx, u, hash, false)
}

// create makes an account without asking whether sign-up is open.
func (s *Service) create(ctx context.Context, u *user.User, hash string) error {
	if !s.populated.Load() {
		s.first.Lock()
		defer s.first.Unlock()
		someone, err := s.someone(ctx)
		if err != nil {
			return err
		}
		if !someone {
			if err := s.becomeFirst(ctx, u, hash); !errdefs.Is(err, errdefs.Conflict) {
				return err
			}
		}
	}
	return s.insert(ctx, u, hash, false)
}

// becomeFirst makes u the administrator of an empty installation and closes
// sign-up, unless the operator pinned it. s.first is held.
func (s *Service) becomeFirst(ctx context.Context, u *user.User, hash string) error {
	role := u.Role
	u.Role = user.Admin
	if err := s.insert(ctx, u, hash, true); err != nil {
		u.Role = role
		return err
	}
	// Only once sign-up is closed may others go past s.first.
	defer s.populated.Store(true)
	s.setup.spend()
	switch origin, _ := s.settings.Origin(setting.EnableSignup.Name); origin {
	case setting.FromFlag, setting.FromEnv, setting.FromFile:
		return nil
	}
	if err := s.settings.Set(ctx, map[string]any{setting.EnableSignup.Name: false}); err != nil {
		// The account stands; that the door stayed open must be known.
		s.log.Error("sign-up could not be closed after the first account; close it in the settings", "err", err)
	}
	return nil
}

// insert writes one account.
func (s *Service) insert(ctx context.Context, u *user.User, hash string, first bool) error {
	id, err := s.newID()
	if err != nil {
		return internal(err)
	}
	stamp, err := s.newID()
	if err != nil {
		return internal(err)
	}
	now := s.now().Unix()
	u.ID, u.CreatedAt, u.UpdatedAt, u.LastActiveAt = id, now, now, now
	if u.ProfileImageURL == "" {
		u.ProfileImageURL = user.DefaultImage
	}
	err = s.users.CreateUser(ctx, u, hash, stamp, first)
	if errdefs.Is(err, errdefs.Conflict) && !first {
		return errEmailTaken()
	}
	if err != nil {
		return err
	}
	if group := setting.Get(s.settings, setting.DefaultGroupID); group != "" {
		if err := s.users.AddMembers(ctx, group, []string{u.ID}); err != nil {
			s.log.Warn("a new person could not join the default group; set it anew in the settings", "user", u.ID, "err", err)
		}
	}
	return nil
}

// Populated reports whether there is anybody yet.
func (s *Service) Populated(ctx context.Context) (bool, error) {
	someone, err := s.someone(ctx)
	if someone && !s.populated.Load() {
		// Whoever is just becoming the first closes sign-up before others look.
		s.first.Lock()
		s.populated.Store(true)
		s.first.Unlock()
	}
	return someone, err
}

func (s *Service) someone(ctx context.Context) (bool, error) {
	if s.populated.Load() {
		return true, nil
	}
	n, err := s.users.CountUsers(ctx)
	if err != nil {
		return false, internal(err)
	}
	return n > 0, nil
}

// CreateAdmin makes the administrator named by the configuration when there is
// nobody yet (WEBUI_ADMIN_EMAIL). It reports whether it did.
func (s *Service) CreateAdmin(ctx context.Context, n NewUser) (bool, error) {
	someone, err := s.Populated(ctx)
	if err != nil || someone {
		return false, err
	}
	u := &user.User{Email: normalEmail(n.Email), Name: n.Name}
	if err := s.checkNew(ctx, u, n.Password); err != nil {
		return false, err
	}
	hash, err := s.hashing.hash(ctx, n.Password)
	if err != nil {
		return false, err
	}
	s.first.Lock()
	defer s.first.Unlock()
	err = s.becomeFirst(ctx, u, hash)
	if errdefs.Is(err, errdefs.Conflict) {
		return false, nil
	}
	return err == nil, err
}

// defaultRole is what people are who sign up by themselves.
func (s *Service) defaultRole() user.Role {
	if r := user.Role(setting.Get(s.settings, setting.DefaultUserRole)); r.Valid() {
		return r
	}
	return user.Pending
}

// newID is a random UUID.
func (s *Service) newID() (string, error) {
	id, err := uuid.NewRandomFromReader(s.random)
	return id.String(), err
}

// SetupLink is a link, good for half an hour and for one sign-up, that opens
// the sign-up page of a server without accounts. base is the address of the
// server, such as http://localhost:3000. A later call ends the earlier link.
func (s *Service) SetupLink(base string) (string, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(s.random, raw); err != nil {
		return "", err
	}
	token := hex.EncodeToString(raw)
	s.setup.set(token, s.now().Add(setupLife))
	return strings.TrimSuffix(base, "/") + "/?" + url.Values{"setup": {token}}.Encode(), nil
}

const setupLife = 30 * time.Minute

// setupLink remembers the link that was printed.
type setupLink struct {
	mu    sync.Mutex
	hash  [32]byte
	until time.Time // zero is none
}

func (l *setupLink) set(token string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hash, l.until = sha256.Sum256([]byte(token)), until
}

func (l *setupLink) valid(token string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := sha256.Sum256([]byte(token))
	return now.Before(l.until) && subtle.ConstantTimeCompare(sum[:], l.hash[:]) == 1
}

func (l *setupLink) spend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Time{}
}

const (
	longestName  = 256
	longestEmail = 254
	longestZone  = 64
	longestImage = 1 << 20
)

// normalEmail is the form in which addresses are kept and compared.
func normalEmail(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

// validEmail accepts name@host.tld and name@localhost.
func validEmail(email string) bool {
	// What cannot be seen would let one address look like another.
	if len(email) > longestEmail || strings.ContainsFunc(email, func(r rune) bool { return r == ' ' || r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return false
	}
	name, host, ok := strings.Cut(email, "@")
	if !ok || name == "" || strings.Contains(host, "@") {
		return false
	}
	if host == "localhost" {
		return true
	}
	dot := strings.LastIndexByte(host, '.')
	return dot > 0 && dot < len(host)-1
}

func checkName(name string) error {
	if !strings.ContainsFunc(name, visible) {
		return errdefs.New(errdefs.Invalid, "The name is empty.")
	}
	if strings.ContainsFunc(name, deceptive) {
		return errdefs.New(errdefs.Invalid, "The name holds line breaks, other control characters, or marks that turn the direction of text. Remove them.")
	}
	if len(name) > longestName {
		return errdefs.Newf(errdefs.Invalid, "The name is too long: it may have at most %d bytes.", longestName)
	}
	return nil
}

func visible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }

// deceptive reports whether r makes a line of text look like something else:
// it ends the line, commands a terminal, or overrides the direction. Joiners
// stay, which scripts and emoji need.
func deceptive(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError || unicode.In(r, unicode.Zl, unicode.Zp) ||
		'\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

// clip makes a name right that nobody can be asked to write otherwise.
func clip(name string) string {
	name = strings.Map(func(r rune) rune {
		if deceptive(r) {
			return ' '
		}
		return r
	}, name)
	for len(name) > longestName {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	return name
}

// validZone accepts what names of time zones look like. Which ones there are
// changes with every year, so that the browser's word is taken.
func validZone(name string) bool {
	return len(name) <= longestZone && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/_+-:", r)
	})
}

// checkImage accepts a path of this server, such as the default, an address on
// the web, or a small picture in the text: a page may show it as it is.
func checkImage(image string) error {
	if len(image) > longestImage {
		return errdefs.New(errdefs.Invalid, "The profile image is too large: it may have at most 1 MiB.")
	}
	switch u, err := url.Parse(image); {
	case image == "":
		return nil
	case strings.HasPrefix(image, "data:"):
		_, _, err := DecodeImage(image)
		return err
	case err != nil || strings.ContainsRune(image, '\\'):
	case u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http"):
		return nil
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
		return nil
	}
	return errdefs.New(errdefs.Unprocessable, "The profile image must be a picture in the text, or an address that begins with https://, http:// or /.")
}

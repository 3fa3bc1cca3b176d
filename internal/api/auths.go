package api

import (
	"context"
	"net/http"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/auth"
	"portico/internal/errdefs"
	"portico/internal/setting"
	"portico/internal/user"
)

// authRoutes let people in and out and keep their own account.
func (a *API) authRoutes() []route.Route {
	const base = "/api/v1/auths"
	return ofAccounts([]route.Route{
		{
			Method: "POST", Path: base + "/signup", Op: "sign_up", Tag: "auths", Who: route.Public,
			Summary: "Make an account and sign in", Body: signUpForm{}, Answer: sessionAnswer{}, Errors: []int{400, 403, 429},
			Doc:     "The first account becomes the administrator and closes sign-up; later ones wait for approval unless the default role says otherwise.",
			Handler: a.signUp,
		},
		{
			Method: "POST", Path: base + "/signin", Op: "sign_in", Tag: "auths", Who: route.Public,
			Summary: "Sign in with e-mail and password", Body: signInForm{}, Answer: sessionAnswer{}, Errors: []int{400, 403, 429},
			Handler: a.signIn,
		},
		{
			Method: "POST", Path: base + "/signout", Op: "sign_out", Tag: "auths", Who: route.Public,
			Summary: "End the session at once", Answer: statusAnswer{}, Errors: []int{403},
			Handler: a.signOut,
		},
		{
			Method: "GET", Path: base, Op: "session", Tag: "auths", Who: route.Human,
			Summary: "The session of the caller", Answer: ownSessionAnswer{},
			Handler: a.ownSession,
		},
		{
			Method: "POST", Path: base + "/update/profile", Op: "update_profile", Tag: "auths", Who: route.Verified,
			Summary: "Change the caller's name, picture and what they say of themselves", Body: profileForm{}, Answer: personAnswer{}, Errors: []int{400},
			MaxBody: 2 << 20, Handler: route.JSON(a.updateProfile),
		},
		{
			Method: "POST", Path: base + "/update/timezone", Op: "update_timezone", Tag: "auths", Who: route.Current,
			Summary: "Change the caller's time zone", Body: timezoneForm{}, Answer: statusAnswer{},
			Errors: []int{400}, Handler: route.JSON(a.updateTimezone),
		},
		{
			Method: "POST", Path: base + "/update/password", Op: "update_password", Tag: "auths", Who: route.Current,
			Summary: "Change the caller's password and end all sessions", Body: passwordForm{}, Answer: true,
			Errors: []int{400, 429}, Handler: route.JSON(a.updatePassword),
		},
		{
			Method: "POST", Path: base + "/add", Op: "add_user", Tag: "auths", Who: route.Admin,
			Summary: "Make an account for somebody", Body: addForm{}, Answer: addedAnswer{}, Errors: []int{400},
			Handler: route.JSON(a.addUser),
		},
		{
			Method: "POST", Path: base + "/ldap", Op: "sign_in_ldap", Tag: "auths", Who: route.Public,
			Summary: "Sign in through a directory; not available", Errors: []int{400},
			Handler: refuse(errdefs.New(errdefs.Invalid, "Sign-in through a directory (LDAP) is not enabled on this server.")),
		},
		{
			Method: "POST", Path: base + "/oauth/{provider}/token/exchange", Op: "oauth_exchange", Tag: "auths", Who: route.Public,
			Summary: "Sign in with another provider's token; not available", Errors: []int{403},
			Handler: refuse(errdefs.New(errdefs.Forbidden, "Tokens of other providers are not taken on this server.")),
		},
		{
			Method: "DELETE", Path: base + "/oauth/sessions/{provider}", Op: "oauth_sign_out", Tag: "auths", Who: route.Verified,
			Summary: "End a session with another provider; not available", Errors: []int{404},
			Handler: refuse(errdefs.New(errdefs.NotFound, "You have no session with this provider.")),
		},
		{
			Method: "GET", Path: base + "/admin/details", Op: "admin_details", Tag: "auths", Who: route.Current,
			Summary: "Whom to ask for help", Answer: detailsAnswer{}, Errors: []int{400},
			Handler: route.NoBody(a.adminDetails),
		},
	})
}

// ofAccounts gives rows below /api/v1/auths what they have in common: nothing
// on the way keeps their answers, and a faulty body is answered with one
// sentence as its detail, as documented for these routes alone.
func ofAccounts(rows []route.Route) []route.Route {
	for i := range rows {
		handle := rows[i].Handler
		rows[i].Handler = func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
			w.Header()["Cache-Control"] = noStore
			return inOneSentence(handle(w, r, c))
		}
	}
	return rows
}

var noStore = []string{"no-store"}

// inOneSentence drops the list of a 422.
func inOneSentence(err error) error {
	if err == nil {
		return nil
	}
	if e := errdefs.From(err); e.Kind == errdefs.Unprocessable {
		plain := *e
		plain.Fields = nil
		return &plain
	}
	return err
}

// refuse answers where there is nothing but a reason.
func refuse(err error) route.Handler {
	return func(http.ResponseWriter, *http.Request, *route.Call) error { return err }
}

type signUpForm struct {
	Name     string `json:"name" require:"true"`
	Email    string `json:"email" require:"true"`
	Password string `json:"password" require:"true"`
	Image    string `json:"profile_image_url"`
	Setup    string `json:"setup_token"`
}

type signInForm struct {
	Email    string `json:"email" require:"true"`
	Password string `json:"password" require:"true"`
}

type addForm struct {
	Name     string    `json:"name" require:"true"`
	Email    string    `json:"email" require:"true"`
	Password string    `json:"password" require:"true"`
	Image    string    `json:"profile_image_url"`
	Role     user.Role `json:"role"`
}

type profileForm struct {
	Name        *string `json:"name"`
	Image       *string `json:"profile_image_url"`
	Bio         *string `json:"bio"`
	Gender      *string `json:"gender"`
	DateOfBirth *string `json:"date_of_birth"` // YYYY-MM-DD
}

type timezoneForm struct {
	Timezone string `json:"timezone" require:"true"`
}

type passwordForm struct {
	Password    string `json:"password" require:"true"`
	NewPassword string `json:"new_password" require:"true"`
}

// personAnswer is somebody as others see them.
type personAnswer struct {
	ID    string    `json:"id"`
	Email string    `json:"email"`
	Name  string    `json:"name"`
	Role  user.Role `json:"role"`
	Image string    `json:"profile_image_url"`
}

func personOf(u *user.User) personAnswer {
	return personAnswer{ID: u.ID, Email: u.Email, Name: u.Name, Role: u.Role, Image: u.ProfileImageURL}
}

type addedAnswer struct {
	Token     string `json:"token"`
	TokenType string `json:"token_type"`
	personAnswer
}

type sessionAnswer struct {
	Token     string `json:"token"`
	TokenType string `json:"token_type"`
	ExpiresAt *int64 `json:"expires_at"` // seconds since 1970; null is never
	personAnswer
	Permissions setting.Permissions `json:"permissions"`
}

// ownSessionAnswer has more of the caller. What they did not say is null.
type ownSessionAnswer struct {
	sessionAnswer
	ownStatus
	Bio         *string `json:"bio"`
	Gender      *string `json:"gender"`
	DateOfBirth *string `json:"date_of_birth"`
}

type detailsAnswer struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

func (a *API) signUp(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in signUpForm
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	if err := a.ownFirst(r); err != nil {
		return err
	}
	s, err := a.Auth.SignUp(r.Context(), auth.NewUser{
		Name: in.Name, Email: in.Email, Password: in.Password, Image: in.Image, SetupToken: in.Setup,
	}, a.Auth.Address(r))
	if err != nil {
		return err
	}
	return a.welcome(w, r, s)
}

// ownFirst keeps any page that a browser visits from becoming the
// administrator of a server on its network before its owner does.
func (a *API) ownFirst(r *http.Request) error {
	someone, err := a.Auth.Populated(r.Context())
	if err != nil || someone {
		return err
	}
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return errdefs.New(errdefs.Forbidden, "A page of another site may not make the first account. Open this server's own address for that.").WithCause(err)
	}
	return nil
}

func (a *API) signIn(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in signInForm
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	s, err := a.Auth.SignIn(r, in.Email, in.Password)
	if err != nil {
		return err
	}
	return a.welcome(w, r, s)
}

// welcome answers with a new session and keeps it in the browser.
func (a *API) welcome(w http.ResponseWriter, r *http.Request, s *auth.Session) error {
	out, err := a.sessionOf(r.Context(), s)
	if err != nil {
		return err
	}
	out.Image = imagePath(s.User.ID)
	a.Auth.SetCookie(w, s)
	return route.WriteJSON(w, http.StatusOK, out)
}

func (a *API) sessionOf(ctx context.Context, s *auth.Session) (sessionAnswer, error) {
	may, err := a.Auth.Permissions(ctx, s.User.ID)
	if err != nil {
		return sessionAnswer{}, err
	}
	out := sessionAnswer{Token: s.Token, TokenType: "Bearer", personAnswer: personOf(s.User), Permissions: may}
	if s.ExpiresAt != 0 {
		out.ExpiresAt = &s.ExpiresAt
	}
	return out, nil
}

// signOut answers with success whoever calls: a session that has ended
// already is what they asked for.
func (a *API) signOut(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := a.Auth.SignOut(r.Context(), c.Who, c.TokenID, c.TokenExpiry); err != nil {
		return err
	}
	a.Auth.ClearCookie(w)
	return route.WriteJSON(w, http.StatusOK, statusAnswer{true})
}

func (a *API) ownSession(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	s, err := a.Auth.Session(r, c.Who, c.TokenExpiry)
	if err != nil {
		return err
	}
	out, err := a.sessionOf(r.Context(), s)
	if err != nil {
		return err
	}
	a.Auth.SetCookie(w, s)
	return route.WriteJSON(w, http.StatusOK, ownSessionAnswer{
		sessionAnswer: out, ownStatus: a.statusOf(s.User),
		Bio: orNull(s.User.Bio), Gender: orNull(s.User.Gender), DateOfBirth: orNull(s.User.DateOfBirth),
	})
}

func (a *API) updateProfile(ctx context.Context, c *route.Call, in profileForm) (personAnswer, error) {
	u, err := a.Auth.Change(ctx, c.Who.UserID, user.Change{
		Name: in.Name, ProfileImageURL: in.Image, Bio: in.Bio, Gender: in.Gender, DateOfBirth: in.DateOfBirth,
	})
	if err != nil {
		return personAnswer{}, err
	}
	return personOf(u), nil
}

func (a *API) updateTimezone(ctx context.Context, c *route.Call, in timezoneForm) (statusAnswer, error) {
	_, err := a.Auth.Change(ctx, c.Who.UserID, user.Change{Timezone: &in.Timezone})
	return statusAnswer{err == nil}, err
}

func (a *API) updatePassword(ctx context.Context, c *route.Call, in passwordForm) (bool, error) {
	err := a.Auth.ChangePassword(ctx, c.Who.UserID, in.Password, in.NewPassword)
	return err == nil, err
}

func (a *API) addUser(ctx context.Context, _ *route.Call, in addForm) (addedAnswer, error) {
	s, err := a.Auth.Add(ctx, auth.NewUser{Name: in.Name, Email: in.Email, Password: in.Password, Image: in.Image, Role: in.Role})
	if err != nil {
		return addedAnswer{}, err
	}
	return addedAnswer{Token: s.Token, TokenType: "Bearer", personAnswer: personOf(s.User)}, nil
}

// adminDetails names an administrator, if that is wanted.
func (a *API) adminDetails(ctx context.Context, c *route.Call) (detailsAnswer, error) {
	if !setting.Get(a.Settings, setting.ShowAdminDetails) && !c.Who.IsAdmin() {
		return detailsAnswer{}, errdefs.New(errdefs.Invalid, "Whom to ask is not shown on this server.")
	}
	admins, _, err := a.Users.Users(ctx, user.Filter{OrderBy: "role", Limit: 1})
	if err != nil {
		return detailsAnswer{}, err
	}
	var out detailsAnswer
	if len(admins) > 0 && admins[0].Role == user.Admin {
		out = detailsAnswer{Name: admins[0].Name, Email: admins[0].Email}
	}
	if email := setting.Get(a.Settings, setting.AdminEmail); email != "" && email != out.Email {
		out = detailsAnswer{Email: email}
		if u, err := a.Users.UserByEmail(ctx, email); err == nil {
			out.Name = u.Name
		}
	}
	return out, nil
}

// unbounded refuses an API key that is narrower than its owner, or ends: it
// could make itself one that is not.
func (a *API) unbounded(ctx context.Context, who *access.Principal) error {
	if who.Method != access.ByKey {
		return nil
	}
	k, err := a.Auth.Key(ctx, who.UserID, who.KeyID)
	if err != nil {
		return err
	}
	if len(k.Models)+len(k.Routes) > 0 || k.ExpiresAt != 0 {
		return errdefs.New(errdefs.Forbidden, "An API key with a scope or an end cannot manage keys. Sign in instead.")
	}
	return nil
}

package auth_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"portico/internal/auth"
	"portico/internal/errdefs"
	"portico/internal/setting"
	"portico/internal/user"
)

func roleChange(role string) user.Change { r := user.Role(role); return user.Change{Role: &r} }

func TestSignUpRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	up := func(email, password string) (*auth.Session, error) {
		return w.SignUp(t.Context(), auth.NewUser{Name: "Ana", Email: email, Password: password}, home)
	}
	if _, err := up("nope", "pw"); statusOf(err) != 400 || !strings.Contains(err.Error(), "e-mail") {
		t.Error("a bad address comes first:", err)
	}
	if _, err := up("ana@example.com", "1234567"); statusOf(err) != 400 {
		t.Error("a short password:", err)
	}
	first := w.must(up(" ANA@Example.com ", password))
	if first.User.Role != user.Admin || first.User.Email != "ana@example.com" {
		t.Errorf("the first: %+v", first.User)
	}
	if _, err := up("nope", "pw"); statusOf(err) != 403 {
		t.Error("closed comes before the address:", err)
	}
	w.set(setting.EnableSignup.Name, true)
	if _, err := up("ana@example.com", "pw"); statusOf(err) != 400 || !strings.Contains(err.Error(), "already") {
		t.Error("taken comes before the password:", err)
	}
	if s := w.must(up("bia@example.com", password)); s.User.Role != user.Pending || w.status(bearer(s.Token)) != 200 {
		t.Errorf("the second: %+v", s.User)
	}
	w.set(setting.DefaultUserRole.Name, "user")
	if s := w.must(up("caio@localhost", password)); s.User.Role != user.Member {
		t.Errorf("the third: %+v", s.User)
	}
	w.set(setting.EnableLoginForm.Name, false)
	if _, err := up("dora@example.com", password); statusOf(err) != 403 {
		t.Error("without the form:", err)
	}
}

func TestEmailForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin()
	w.set(setting.EnableSignup.Name, true)
	for email, ok := range map[string]bool{
		"a@b.c": true, "a@localhost": true, "a+b@x.example": true, "jörg@exämple.de": true, "a@b@c.d": false,
		"@b.c": false, "a@": false, "a@b": false, "a@.c": false, "a@b.": false, "a b@c.d": false, "a@b.c\r\nx": false, "": false,
		strings.Repeat("a", 250) + "@b.cd": false,
		// What looks like the address of somebody else.
		"a\u200b@b.c": false, "a\u00a0@b.c": false, "a\u202e@b.c": false, "a\u2028@b.c": false, "a\u0085@b.c": false, "a\ufeff@b.c": false,
	} {
		_, err := w.SignUp(t.Context(), auth.NewUser{Name: "X", Email: email, Password: password}, home)
		if (err == nil) != ok {
			t.Errorf("%q: %v", email, err)
		}
	}
}

// A name cannot end its line, command a terminal or turn the text around it,
// whoever sets it.
func TestNamesDoNotDeceive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.admin()
	for name, ok := range map[string]bool{
		"Ana": true, "Ærø 山 עברית": true, "\U0001f468\u200d\U0001f469": true, "می\u200cخواهم": true,
		"": false, " ": false, "\u200b": false, "a\r\nb": false, "\x1b[31mred": false, "\u202enimda": false, "a\u2028b": false, "a\u2066b": false, "a\x7f": false,
	} {
		_, err := w.Change(t.Context(), ana.User.ID, user.Change{Name: &name})
		if (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
		if _, _, err = w.CreateKey(t.Context(), ana.User.ID, auth.KeySpec{Name: name}, false); (err == nil) != ok {
			t.Errorf("%q of a key: %v", name, err)
		}
	}
	for zone, ok := range map[string]bool{
		"Europe/Zurich": true, "Etc/GMT+8": true, "America/Port-au-Prince": true, "": true,
		"a\r\nb": false, "../etc": false, strings.Repeat("x", 65): false, "Zürich": false,
	} {
		if _, err := w.Change(t.Context(), ana.User.ID, user.Change{Timezone: &zone}); (err == nil) != ok {
			t.Errorf("zone %.20q: %v", zone, err)
		}
	}
}

// Of any number who come at once, one is the administrator.
func TestFirstAdminRace(t *testing.T) {
	t.Parallel()
	for round := range 20 {
		w := newWorld(t, func(c *auth.Config) { c.Limits.SignUp.N = -1 })
		const people = 200
		var wg sync.WaitGroup
		var mu sync.Mutex
		answers := map[int]int{}
		for i := range people {
			wg.Go(func() {
				_, err := w.SignUp(t.Context(), auth.NewUser{Name: "X", Email: fmt.Sprintf("p%d@example.com", i), Password: password}, home)
				mu.Lock()
				defer mu.Unlock()
				answers[statusOf(err)]++
			})
		}
		wg.Wait()
		// On a very busy machine somebody may have waited too long for the lock.
		if answers[200] != 1 || answers[403]+answers[503] != people-1 {
			t.Fatalf("round %d: answers %v\n%s", round, answers, w.log)
		}
		_, total, err := w.db.Users(t.Context(), user.Filter{})
		if err != nil || total != 1 {
			t.Fatalf("round %d: %d people, %v", round, total, err)
		}
	}
}

// With sign-up pinned open, the others become what the default says.
func TestFirstAdminRaceOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *auth.Config) { c.Limits.SignUp.N = -1 })
	pinned, err := setting.New(t.Context(), w.db, map[string]setting.Pin{
		setting.EnableSignup.Name: {Value: []byte("true"), Origin: setting.FromEnv, Variable: "ENABLE_SIGNUP"},
	}, w.bus)
	if err != nil {
		t.Fatal(err)
	}
	defer pinned.Close()
	s, err := auth.New(auth.Config{Secret: []byte(secret), Hashing: cheap, Limits: auth.Limits{SignUp: auth.Limit{N: -1}}}, w.db, w.db, pinned, w.bus)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var wg sync.WaitGroup
	var mu sync.Mutex
	roles := map[user.Role]int{}
	for i := range 50 {
		wg.Go(func() {
			got, err := s.SignUp(t.Context(), auth.NewUser{Name: "X", Email: fmt.Sprintf("p%d@example.com", i), Password: password}, home)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			roles[got.User.Role]++
		})
	}
	wg.Wait()
	if roles[user.Admin] != 1 || roles[user.Pending] != 49 {
		t.Errorf("roles: %v", roles)
	}
}

func TestSetupLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link, err := w.SetupLink("http://localhost:3000/")
	if err != nil {
		t.Fatal(err)
	}
	_, token, ok := strings.Cut(link, "http://localhost:3000/?setup=")
	if !ok {
		t.Fatalf("the link is %q", link)
	}
	up := func(token string) error {
		_, err := w.SignUp(t.Context(), auth.NewUser{Name: "Ana", Email: "ana@example.com", Password: password, SetupToken: token}, home)
		return err
	}
	if err := up("wrong"); statusOf(err) != 403 {
		t.Error("a wrong token:", err)
	}
	w.advance(31 * time.Minute)
	if err := up(token); statusOf(err) != 403 {
		t.Error("an old token:", err)
	}
	link, _ = w.SetupLink("http://localhost:3000")
	_, token, _ = strings.Cut(link, "=")
	if err := up(token); err != nil {
		t.Error("a good token:", err)
	}
}

func TestCreateAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := auth.NewUser{Name: "Admin", Email: "root@example.com", Password: password}
	if made, err := w.CreateAdmin(t.Context(), n); !made || err != nil {
		t.Fatal(made, err)
	}
	if made, err := w.CreateAdmin(t.Context(), n); made || err != nil {
		t.Fatal("again:", made, err)
	}
	if s := w.must(w.SignIn(request("/"), n.Email, password)); s.User.Role != user.Admin {
		t.Errorf("role %s", s.User.Role)
	}
	if setting.Get(w.settings, setting.EnableSignup) {
		t.Error("sign-up is still open")
	}
}

func TestSignInAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin()
	in := func(email, password string) error {
		_, err := w.SignIn(request("/"), email, password)
		return err
	}
	for name, c := range map[string]struct {
		email, password string
		want            int
	}{
		"right":     {"Ana@example.com", password, 200},
		"wrong":     {"ana@example.com", "wrong", 400},
		"unknown":   {"nobody@example.com", password, 400},
		"empty":     {"ana@example.com", "", 400},
		"very long": {"ana@example.com", strings.Repeat("x", 5000), 400},
		"a pattern": {"%", password, 400},
		"a hash":    {"ana@example.com", "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA", 400},
	} {
		if err := in(c.email, c.password); statusOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, b := in("ana@example.com", "wrong"), in("nobody@example.com", "wrong")
	if a.Error() != b.Error() {
		t.Errorf("the answer tells who has an account: %q, %q", a, b)
	}
	w.set(setting.EnablePasswordAuth.Name, false)
	if err := in("ana@example.com", password); statusOf(err) != 403 {
		t.Error("with passwords off:", err)
	}
}

func TestSignInLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin()
	from := func(address string) *http.Request {
		r := request("/")
		r.RemoteAddr = address + ":1234"
		return r
	}
	for i := range 15 {
		// From another address each time: the account is what is counted.
		if _, err := w.SignIn(from(fmt.Sprintf("10.0.0.%d", i)), "ana@example.com", "wrong"); statusOf(err) != 400 {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	_, err := w.SignIn(from("10.0.1.1"), "ANA@example.com", password)
	if e := errdefs.From(err); e.HTTPStatus() != 429 || e.RetryAfter != 12*time.Second {
		t.Fatal("try 16:", err)
	}
	w.advance(12 * time.Second)
	if _, err := w.SignIn(from("10.0.1.1"), "ana@example.com", password); err != nil {
		t.Error("later:", err)
	}
	w.advance(time.Hour)
	for i := range 30 {
		if _, err := w.SignIn(from("10.0.0.1"), fmt.Sprintf("p%d@example.com", i), "wrong"); statusOf(err) != 400 {
			t.Fatalf("spray %d: %v", i, err)
		}
	}
	if _, err := w.SignIn(from("10.0.0.1"), "ana@example.com", password); statusOf(err) != 429 {
		t.Error("spray 31:", err)
	}
	if _, err := w.SignIn(from("10.0.0.2"), "ana@example.com", password); err != nil {
		t.Error("from elsewhere:", err)
	}
}

// Signing in as it should be does not use up what an address may get wrong.
func TestSignInSuccessIsFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *auth.Config) { c.Limits.Account.N = -1 })
	w.admin()
	for i := range 100 {
		if _, err := w.SignIn(request("/"), "ana@example.com", password); err != nil {
			t.Fatalf("try %d: %v", i, err)
		}
	}
}

func TestSignUpLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *auth.Config) { c.Limits.SignUp = auth.Limit{N: 3, Per: time.Minute} })
	w.admin()
	w.set(setting.EnableSignup.Name, true)
	up := func(i int, from netip.Addr) int {
		_, err := w.SignUp(t.Context(), auth.NewUser{Name: "X", Email: fmt.Sprintf("p%d@example.com", i), Password: password}, from)
		return statusOf(err)
	}
	got := []int{up(1, home), up(2, home), up(3, home), up(4, netip.MustParseAddr("::1"))}
	if fmt.Sprint(got) != "[200 200 429 200]" {
		t.Errorf("answers %v", got)
	}
}

func TestPasswordHashes(t *testing.T) {
	t.Parallel()
	legacy, err := bcrypt.GenerateFromPassword([]byte(password), 4)
	if err != nil {
		t.Fatal(err)
	}
	other := []byte(strings.Replace(string(legacy), "$2a$", "$2b$", 1))
	weak := "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$"
	for name, c := range map[string]struct {
		hashing auth.Hashing
		stored  string
		becomes string // how the hash begins after a sign-in
	}{
		"bcrypt becomes argon2id": {cheap, string(legacy), "$argon2id$"},
		"$2b$ too":                {cheap, string(other), "$argon2id$"},
		"bcrypt stays":            {auth.Hashing{Algorithm: "bcrypt", Cost: 4}, string(legacy), string(legacy)},
		"bcrypt gets stronger":    {auth.Hashing{Algorithm: "bcrypt", Cost: 5}, string(legacy), "$2a$05$"},
	} {
		w := newWorld(t, func(cfg *auth.Config) { cfg.Hashing = c.hashing })
		ana := w.admin()
		if err := w.db.SetPassword(t.Context(), ana.User.ID, c.stored, "stamp"); err != nil {
			t.Fatal(err)
		}
		for try := range 2 {
			if _, err := w.SignIn(request("/"), "ana@example.com", password); err != nil {
				t.Errorf("%s, sign-in %d: %v", name, try, err)
			}
		}
		if _, err := w.SignIn(request("/"), "ana@example.com", "wrong-Pass!"); statusOf(err) != 400 {
			t.Errorf("%s, wrong: %v", name, err)
		}
		cred, err := w.db.Credential(t.Context(), ana.User.ID)
		if err != nil || !strings.HasPrefix(cred.PasswordHash, c.becomes) || cred.Stamp != "stamp" {
			t.Errorf("%s: %+v, %v", name, cred, err)
		}
	}
	w := newWorld(t)
	ana := w.admin()
	for _, broken := range []string{weak, "x", "$argon2id$", "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=99999999,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"} {
		if err := w.db.SetPassword(t.Context(), ana.User.ID, broken, "stamp"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.SignIn(request("/"), "ana@example.com", password); err == nil {
			t.Errorf("%q opens the door", broken)
		}
	}
}

func TestPasswordLengths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		algorithm string
		length    int
		want      int
	}{
		{"argon2id", 7, 400}, {"argon2id", 8, 200}, {"argon2id", 1024, 200}, {"argon2id", 1025, 400},
		{"bcrypt", 7, 400}, {"bcrypt", 8, 200}, {"bcrypt", 72, 200}, {"bcrypt", 73, 400},
	} {
		h := cheap
		h.Algorithm = c.algorithm
		w := newWorld(t, func(cfg *auth.Config) { cfg.Hashing = h })
		pw := strings.Repeat("p", c.length)
		_, err := w.SignUp(t.Context(), auth.NewUser{Name: "Ana", Email: "ana@example.com", Password: pw}, home)
		if statusOf(err) != c.want {
			t.Errorf("%s with %d bytes: %v", c.algorithm, c.length, err)
		}
		if err == nil {
			w.must(w.SignIn(request("/"), "ana@example.com", pw))
		}
	}
	if _, err := auth.New(auth.Config{Secret: []byte(secret), Hashing: auth.Hashing{Algorithm: "md5"}}, nil, nil, nil, nil); err == nil {
		t.Error("md5 was accepted")
	}
	if _, err := auth.New(auth.Config{Secret: []byte("short")}, nil, nil, nil, nil); err == nil {
		t.Error("a short secret was accepted")
	}
}

// Who waits for their turn to hash can leave.
func TestHashingObeysContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *auth.Config) {
		c.Hashing = auth.Hashing{MemoryKiB: 8 << 10, Passes: 3, Parallel: 1}
		c.Limits = auth.Limits{Account: auth.Limit{N: -1}, Address: auth.Limit{N: -1}}
	})
	w.admin()
	var wg sync.WaitGroup
	defer wg.Wait()
	for range 8 {
		wg.Go(func() { _, _ = w.SignIn(request("/"), "ana@example.com", "wrong") })
	}
	r := httptest.NewRequestWithContext(cancelled(t), "POST", "/", nil)
	if _, err := w.SignIn(r, "ana@example.com", password); err == nil {
		t.Error("signed in without waiting for a turn")
	}
}

// Neither the log nor the database has a password, a key or a token in it.
func TestSecretsAtRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorldOn(t, "sqlite:///"+filepath.Join(dir, "portico.db"))
	ana := w.admin()
	_, key := w.key(ana.User.ID, auth.KeySpec{})
	w.status(bearer(key))
	w.status(bearer("sk-canary-that-is-unknown"))
	_, _ = w.SignIn(request("/"), "ana@example.com", "canary-wrong-pass")
	if err := w.ChangePassword(t.Context(), ana.User.ID, password, "canary-new-pass"); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	all.WriteString(w.log.String())
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(all.Bytes(), []byte("ana@example.com")) {
		t.Fatal("the database was not read")
	}
	for _, canary := range []string{password, key, key[7:31], ana.Token, "canary-", secret} {
		if bytes.Contains(all.Bytes(), []byte(canary)) {
			t.Errorf("%q is kept", canary)
		}
	}
}

package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/user"
)

// testTexts keeps what people write, byte for byte, and refuses on both
// engines what one of them cannot keep.
func testTexts(t *testing.T, f *Fixture) {
	for i, text := range []string{"", " ", "'; DROP TABLE users; --", "$1 ? :x @y", "naïve Ünïcödé", "日本語 עברית", "👩‍👩‍👧‍👦\u200d", "e\u0301 is not é",
		"line\r\nline\ttab", strings.Repeat("長", 100_000)} {
		u := person(string(rune('a'+i)), user.Member)
		u.Name, u.Settings, u.Info, u.Timezone = text, text, text, text
		must(t, f.DB.CreateUser(t.Context(), u, text, text, false))
		got, err := f.DB.UserByID(t.Context(), u.ID)
		must(t, err)
		equal(t, got, u)
		c, err := f.DB.Credential(t.Context(), u.ID)
		must(t, err)
		equal(t, c.PasswordHash, text)
	}
	for _, text := range []string{"nul\x00", "\xff\xfe", "half \xe2\x82"} {
		u := person("z", user.Member)
		u.Name = text
		fails(t, f.DB.CreateUser(t.Context(), u, "", "", false), errdefs.Invalid)
		_, err := f.DB.UserByID(t.Context(), text)
		fails(t, err, errdefs.Invalid)
		_, err = f.DB.UpdateUser(t.Context(), "a", user.Change{Name: &text}, 1)
		fails(t, err, errdefs.Invalid)
	}
}

func testTx(t *testing.T, f *Fixture) {
	db := f.DB
	broken := errors.New("broken")
	err := db.Tx(t.Context(), func(ctx context.Context) error {
		must(t, db.CreateUser(ctx, person("a", user.Admin), "", "", false))
		_, err := db.UserByID(ctx, "a")
		must(t, err) // sees its own writes
		f.told(t)
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	f.told(t)
	_, err = db.UserByID(t.Context(), "a")
	fails(t, err, errdefs.NotFound)

	must(t, db.Tx(t.Context(), func(ctx context.Context) error {
		must(t, db.CreateUser(ctx, person("a", user.Admin), "", "", false))
		must(t, db.SetStamp(ctx, "a", "x"))
		return db.Tx(ctx, func(ctx context.Context) error { // joins
			return db.SetSettings(ctx, map[string][]byte{"k": []byte("1")})
		})
	}))
	f.told(t, event.Event{Topic: event.User, ID: "a"}, event.Event{Topic: event.Setting, ID: "k"})
}

func testCancelled(t *testing.T, f *Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.DB.CreateUser(ctx, person("a", user.Admin), "", "", false); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := f.DB.UserByID(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, f.DB.Ping(t.Context()))
	before := f.DB.Statements()
	_, err := f.DB.UserByID(t.Context(), "a")
	fails(t, err, errdefs.NotFound)
	equal(t, f.DB.Statements()-before, 1)
	f.told(t)
}

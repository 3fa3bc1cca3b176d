package setting_test

import (
	"testing"
	"time"

	"portico/internal/errdefs"
	"portico/internal/setting"
)

func TestParseLife(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"4w": 28 * 24 * time.Hour, "1d12h": 36 * time.Hour, "90s": 90 * time.Second, "1500ms": 1500 * time.Millisecond,
		"1.5h": 90 * time.Minute, "2h 30m": -1, "": -1, "w": -1, "4": -1, "4y": -1, "-1": 0, "0": 0, " 1h ": time.Hour,
		"1ms": -1, "99999w": -1, "-4w": -1, "1..5h": -1, "1e9w": -1,
	} {
		got, err := setting.ParseLife(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// What ParseLife does not understand is refused when it is set, instead of
// being the default afterwards without a word.
func TestLifeTooLongIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, &setting.Memory{}, nil, nil)
	for _, text := range []string{"99999999999w", "1ms", " 1h", "-5"} {
		if err := s.Set(t.Context(), map[string]any{setting.JWTExpiresIn.Name: text}); !errdefs.Is(err, errdefs.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

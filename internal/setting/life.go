package setting

import (
	"strconv"
	"strings"
	"time"

	"portico/internal/errdefs"
)

// ParseLife reads a length of time as JWT_EXPIRES_IN has it: pairs of a number
// and one of ms, s, m, h, d, w, such as "4w" or "1d12h". "-1" and "0" are for
// ever, which is 0.
func ParseLife(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if text == "-1" || text == "0" {
		return 0, nil
	}
	total, rest := 0.0, text
	for rest != "" {
		n := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n <= 0 {
			return 0, errLife(text)
		}
		value, err := strconv.ParseFloat(rest[:n], 64)
		if err != nil {
			return 0, errLife(text)
		}
		u, ok := unitOf(rest[n:])
		if !ok {
			return 0, errLife(text)
		}
		total += value * float64(u.length)
		rest = rest[n+len(u.name):]
	}
	if total < float64(time.Second) || total > float64(100*365*24*time.Hour) {
		return 0, errLife(text)
	}
	return time.Duration(total), nil
}

type unit struct {
	name   string
	length time.Duration
}

func unitOf(text string) (unit, bool) {
	for _, u := range [...]unit{
		{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute},
		{"h", time.Hour}, {"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour},
	} {
		if strings.HasPrefix(text, u.name) {
			return u, true
		}
	}
	return unit{}, false
}

func errLife(text string) error {
	return errdefs.Newf(errdefs.Invalid, "%.32q is no length of time. Write for example 4w, 1d12h or 30m; -1 is for ever.", text)
}

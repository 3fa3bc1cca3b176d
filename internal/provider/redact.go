package provider

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"portico/internal/rawjson"
)

// Redactor takes out of a text what is secret about a connection: its key, its
// address, and the values of its headers.
type Redactor struct{ secrets []string }

// NewRedactor makes a Redactor for c.
func NewRedactor(c *Connection) *Redactor {
	r := new(Redactor)
	r.add(4, c.Key)
	r.add(4, c.Config.Key)
	for _, v := range c.Config.Headers {
		r.add(8, v)
		r.add(8, v[strings.LastIndexByte(v, ' ')+1:])
	}
	r.addURL(c.BaseURL)
	// The longest first: no part of it may be left over.
	slices.SortStableFunc(r.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return r
}

// add notes a secret unless it is so short that half of any text would go.
func (r *Redactor) add(least int, s string) {
	if len(s) >= least {
		r.secrets = append(r.secrets, lower(s))
	}
}

// addURL notes an address whole, then its parts from the longest.
func (r *Redactor) addURL(base string) {
	r.add(4, base)
	_, rest, ok := strings.Cut(base, "://")
	if !ok {
		return
	}
	rest, _, _ = strings.Cut(rest, "/")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		login := rest[:at]
		rest = rest[at+1:]
		r.add(4, login)
		_, password, _ := strings.Cut(login, ":")
		r.add(4, password)
	}
	r.add(4, rest)
	// A bare name such as "openai" may well be part of what is said.
	if host, _, _ := strings.Cut(rest, ":"); strings.Contains(host, ".") {
		r.add(4, host)
	}
}

// Text gives s without the secrets.
func (r *Redactor) Text(s string) string {
	const removed = "[removed]"
	for _, secret := range r.secrets {
		for from := 0; ; {
			at := indexFold(s[from:], secret)
			if at < 0 {
				break
			}
			at += from
			s = s[:at] + removed + s[at+len(secret):]
			from = at + len(removed)
		}
	}
	return s
}

// Bytes is Text for bytes. It gives b itself when nothing is to be removed.
func (r *Redactor) Bytes(b []byte) []byte {
	text := string(b)
	if clean := r.Text(text); clean != text {
		return []byte(clean)
	}
	return b
}

// indexFold is strings.Index for ASCII letters of either case; low is in
// lower case.
func indexFold(s, low string) int {
	for i := 0; i+len(low) <= len(s); i++ {
		j := 0
		for j < len(low) && toLower(s[i+j]) == low[j] {
			j++
		}
		if j == len(low) {
			return i
		}
	}
	return -1
}

func lower(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = toLower(b[i])
	}
	return string(b)
}

func toLower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// JSON gives body, a JSON object, without the secrets, whatever escapes they
// were written with. It reports false when body is no JSON object.
func (r *Redactor) JSON(body []byte) ([]byte, bool) {
	d := rawjson.Get()
	defer rawjson.Put(d)
	if len(body) == 0 || len(body) > MaxError || d.Parse(body, rawjson.Limits{}) != nil {
		return nil, false
	}
	w := cleaner{Redactor: r}
	clean := w.value(make([]byte, 0, len(body)), body)
	if !w.changed {
		return bytes.Clone(body), true
	}
	return clean, true
}

// cleaner writes JSON anew and notes whether anything was removed.
type cleaner struct {
	*Redactor
	changed bool
}

func (w *cleaner) value(dst, raw []byte) []byte {
	switch first := trimLeft(raw); {
	case len(first) > 0 && first[0] == '"':
		return w.text(dst, raw)
	case len(first) > 0 && first[0] == '{':
		dst = append(dst, '{')
		empty := len(dst)
		rawjson.Each(raw, func(key, value []byte) {
			if len(dst) > empty {
				dst = append(dst, ',')
			}
			dst = w.text(dst, append(append([]byte{'"'}, key...), '"'))
			dst = w.value(append(dst, ':'), value)
		})
		return append(dst, '}')
	case len(first) > 0 && first[0] == '[':
		dst = append(dst, '[')
		empty := len(dst)
		rawjson.Elements(raw, func(value []byte) {
			if len(dst) > empty {
				dst = append(dst, ',')
			}
			dst = w.value(dst, value)
		})
		return append(dst, ']')
	}
	return append(dst, raw...)
}

// text appends a raw string, as it is when nothing is to be removed.
func (w *cleaner) text(dst, raw []byte) []byte {
	text, _ := rawjson.Unquote(raw)
	if clean := w.Text(text); clean != text {
		w.changed = true
		return rawjson.AppendString(dst, clean)
	}
	return append(dst, raw...)
}

func trimLeft(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\r' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

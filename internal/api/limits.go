package api

import (
	"io"
	"net/http"
	"strings"
	"time"

	"portico/internal/api/route"
	"portico/internal/errdefs"
)

// Limits of a request, before anything of it is believed.
const (
	maxHeaders     = 100
	maxHeaderBytes = 32 << 10
	defaultBody    = 1 << 20
)

var (
	errTarget = errdefs.New(errdefs.Invalid, "The request's target must be a plain path that begins with a slash.")
	errHead   = errdefs.Newf(errdefs.Invalid, "The request has more than %d headers or %d KiB of them.",
		maxHeaders, maxHeaderBytes>>10).WithStatus(http.StatusRequestHeaderFieldsTooLarge)
)

// modelPath is where clients escape the slashes of a model's id, and where that
// cannot mean anything else: the id is all that follows.
const modelPath = "/v1/models/"

var slashes = strings.NewReplacer("%2F", "/", "%2f", "/")

// checkTarget refuses targets that two readers could understand differently:
// other forms than a path, and paths that are not what they seem once more
// decoded or cleaned.
func checkTarget(r *http.Request) error {
	target := r.RequestURI
	if target == "" { // not from a connection
		target = r.URL.RequestURI()
	}
	path, _, _ := strings.Cut(target, "?")
	if strings.HasPrefix(path, modelPath) {
		path = slashes.Replace(path)
	}
	if path == "" || path[0] != '/' || r.URL.Opaque != "" || !plain(path) || len(path) != len(r.URL.Path) && !plain(r.URL.Path) {
		return errTarget
	}
	return nil
}

// plain reports whether a path, raw or decoded, has neither empty nor dot
// segments, nor backslashes, control characters, or escapes of any of these.
func plain(path string) bool {
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '/' && i+1 < len(path) && (path[i+1] == '/' || dots(path[i+1:])):
			return false
		case c == '\\', c < ' ', c == 0x7f:
			return false
		case c == '%' && i+2 < len(path) && forbidden(path[i+1], path[i+2]):
			return false
		}
	}
	return true
}

// dots reports whether a path begins with a segment "." or "..".
func dots(path string) bool {
	seg, _, _ := strings.Cut(path, "/")
	return seg == "." || seg == ".."
}

// forbidden reports whether %hl is an escaped dot, slash, backslash, percent
// sign or control character.
func forbidden(h, l byte) bool {
	l |= 0x20
	switch h {
	case '0', '1':
		return true
	case '2':
		return l == 'e' || l == 'f' || l == '5'|0x20
	case '5':
		return l == 'c'
	case '7':
		return l == 'f'
	}
	return false
}

// checkHead counts the headers. Package net/http has bounded them roughly.
func checkHead(r *http.Request) error {
	count, bytes := 0, len(r.RequestURI)
	for name, values := range r.Header {
		count += len(values)
		for _, v := range values {
			bytes += len(name) + len(v) + len(": \r\n")
		}
	}
	if count > maxHeaders || bytes > maxHeaderBytes {
		return errHead
	}
	return nil
}

// limitBody bounds the body: one that is announced as too large is refused
// unread, one that turns out so fails while it is read.
func limitBody(w http.ResponseWriter, r *http.Request, limit int64) error {
	if limit < 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if limit == 0 {
		limit = defaultBody
	}
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		return route.TooLarge(limit)
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	return nil
}

// defaultPatience is how long somebody unknown may take to send a body: those
// of the public routes are forms of some hundred bytes.
const defaultPatience = 20 * time.Second

// hurry bounds how long a body may take, so that nobody holds connections
// open by sending theirs a byte at a time. Package net/http ends the bound
// with the request.
func hurry(w http.ResponseWriter, r *http.Request, patience time.Duration) {
	if r.ContentLength != 0 {
		// Without a connection, as in a test, there is nothing to hold open.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(patience))
	}
}

const (
	// promptBody is what usually arrives together with the head.
	promptBody = 4 << 10
	// stallPatience is how long a caller who is known may pause within a body.
	stallPatience = 30 * time.Second
	// stallSlack is the part of it by which a pause may be cut short, so that
	// not every read moves a timer.
	stallSlack = 8
)

// steady bounds the pauses within a long body, however long all of it takes.
func steady(w http.ResponseWriter, r *http.Request, patience time.Duration) {
	if r.ContentLength < 0 || r.ContentLength > promptBody {
		r.Body = &steadyBody{ReadCloser: r.Body, control: http.NewResponseController(w), patience: patience}
	}
}

// steadyBody fails with os.ErrDeadlineExceeded when nothing comes for too long.
type steadyBody struct {
	io.ReadCloser
	control  *http.ResponseController
	patience time.Duration
	by       time.Time
	done     bool
}

func (b *steadyBody) Read(p []byte) (int, error) {
	if b.done {
		return b.ReadCloser.Read(p)
	}
	if now := time.Now(); b.by.Sub(now) < b.patience-b.patience/stallSlack {
		b.by = now.Add(b.patience)
		// Without a connection, as in a test, there is nothing to hold open.
		_ = b.control.SetReadDeadline(b.by)
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		// The answer may take longer than a pause: the bound ends here. After a
		// failure it stays, for net/http looks whether more comes.
		b.done = true
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

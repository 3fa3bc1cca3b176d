package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/blob"
	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/user"
)

// wholly is the size up to which bytes are checked before the first of them is
// sent, so that a damaged file is an error and not half an answer.
const wholly = 8 << 20

func (a *API) fileContent(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	attachment := args.Bool("attachment", false)
	if err := args.Err(); err != nil {
		return err
	}
	return a.serveFile(w, r, c, attachment)
}

func (a *API) fileDownload(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	return a.serveFile(w, r, c, true)
}

// serveFile answers with the bytes of a file, or the part that is asked for.
func (a *API) serveFile(w http.ResponseWriter, r *http.Request, c *route.Call, attachment bool) error {
	f, err := a.Files.Load(r.Context(), c.Who, access.Read, r.PathValue("id"))
	if err != nil {
		return err
	}
	content, err := a.Files.Open(r.Context(), f)
	if err != nil {
		return err
	}
	defer content.Close()
	head, err := checked(content, f.Size)
	if err != nil {
		return err
	}
	kind, shown := fileType(f, head)
	h := w.Header()
	h.Set("Content-Type", kind)
	switch {
	case attachment || shown == keep:
		h.Set("Content-Disposition", disposition("attachment", f.Filename))
	case shown == show:
		h.Set("Content-Disposition", disposition("inline", f.Filename))
	}
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	return a.sendContent(w, r, f, content)
}

// sendContent writes what is asked for of the bytes of a file.
func (a *API) sendContent(w http.ResponseWriter, r *http.Request, f *file.File, content blob.Content) error {
	h := w.Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", `"`+f.Blob+`"`)
	out := &served{patient: newPatient(w)}
	defer out.done()
	body := &remembering{Content: content}
	http.ServeContent(out, r, "", time.Unix(f.CreatedAt, 0), body)
	switch {
	case body.err != nil:
		return body.err // the answer is short, and net/http ends the connection
	case out.refused:
		h.Del("Content-Disposition")
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", f.Size))
		return errRange
	}
	return nil
}

var errRange = errdefs.New(errdefs.Invalid, "The file has no such range of bytes.").WithStatus(http.StatusRequestedRangeNotSatisfiable)

// served keeps http.ServeContent from writing an error of its own.
type served struct {
	*patient
	refused bool
}

func (s *served) WriteHeader(status int) {
	if s.refused = status == http.StatusRequestedRangeNotSatisfiable; !s.refused {
		s.patient.WriteHeader(status)
	}
}

func (s *served) Write(b []byte) (int, error) {
	if s.refused {
		return len(b), nil
	}
	return s.patient.Write(b)
}

// checked reads the beginning of a file, and all of it when it is small.
func checked(content blob.Content, size int64) ([]byte, error) {
	head := make([]byte, min(size, 512))
	if _, err := content.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if size > wholly {
		return head, nil
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return nil, err
	}
	_, err := content.Seek(0, io.SeekStart)
	return head, err
}

// remembering keeps the error of the bytes, which http.ServeContent does not tell.
type remembering struct {
	blob.Content
	err error
}

func (c *remembering) Read(p []byte) (int, error) {
	n, err := c.Content.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// How a browser is told to treat a file.
type showing int

const (
	keep   showing = iota // as a download
	show                  // in its own viewer
	asText                // without a word about it
)

// fileTypes are the types that nothing in them is run of, as the bytes tell
// them. Whatever else a file says it is, it is served as bytes.
var fileTypes = map[string]bool{
	"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true,
	"audio/mpeg": true, "audio/wave": true, "video/mp4": true, "application/pdf": true,
}

// fileType decides by the bytes. A text is told as such where its owner says
// that it is nothing else: browsers do not look for more in it.
func fileType(f *file.File, head []byte) (string, showing) {
	kind, _, _ := mime.ParseMediaType(http.DetectContentType(head))
	switch {
	case kind == "application/pdf":
		return kind, show
	case fileTypes[kind]:
		return kind, keep
	case f.ContentType == "text/plain" && strings.HasPrefix(kind, "text/"):
		return "text/plain; charset=utf-8", asText
	}
	return "application/octet-stream", keep
}

// disposition names a file for saving, in the form that every client reads
// (RFC 6266) and, where that is not the name itself, in that of RFC 8187.
func disposition(kind, name string) string {
	var ascii strings.Builder
	for _, r := range name {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\/%`, r) {
			r = '_'
		}
		ascii.WriteRune(r)
	}
	return kind + `; filename="` + ascii.String() + `"; filename*=UTF-8''` + escapeName(name)
}

// escapeName writes all but the characters of RFC 8187 as %XX.
func escapeName(name string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "'", "%27", "(", "%28", ")", "%29").Replace(url.QueryEscape(name))
}

var errNoPage = errdefs.New(errdefs.NotFound, "There is no such page.")

// filePage shows an HTML file that an administrator uploaded. Nothing in it
// runs, and nothing is loaded for it from anywhere.
func (a *API) filePage(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	f, err := a.Files.Load(r.Context(), c.Who, access.Read, r.PathValue("id"))
	if err != nil {
		return err
	}
	owner, err := a.Users.UserByID(r.Context(), f.UserID)
	if err != nil && !errdefs.Is(err, errdefs.NotFound) {
		return err
	}
	if owner == nil || owner.Role != user.Admin {
		return errNoPage
	}
	content, err := a.Files.Open(r.Context(), f)
	if err != nil {
		return err
	}
	defer content.Close()
	head, err := checked(content, f.Size)
	if err != nil {
		return err
	}
	if kind, _, _ := mime.ParseMediaType(http.DetectContentType(head)); kind != "text/html" && f.ContentType != "text/html" || !strings.HasPrefix(kind, "text/") {
		return errNoPage
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:")
	return a.sendContent(w, r, f, content)
}

// patient writes an answer that may be long: a client that does not take a
// piece of it in time is given up.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	by      time.Time
}

func newPatient(w http.ResponseWriter) *patient {
	return &patient{ResponseWriter: w, control: http.NewResponseController(w)}
}

func (p *patient) Write(b []byte) (int, error) {
	if now := time.Now(); p.by.Sub(now) < replyPatience-replyPatience/stallSlack {
		p.by = now.Add(replyPatience)
		_ = p.control.SetWriteDeadline(p.by) // where there is none to set, none is needed
	}
	return p.ResponseWriter.Write(b)
}

// done lets the next answer on the connection take its own time.
func (p *patient) done() { _ = p.control.SetWriteDeadline(time.Time{}) }

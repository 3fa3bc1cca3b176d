package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"portico/internal/api/route"
	"portico/internal/blob"
	"portico/internal/errdefs"
	"portico/internal/file"
)

// Limits of a form with a file in it.
const (
	maxParts    = 32
	maxPartHead = 16 << 10
	maxBoundary = 70
	maxField    = 64 << 10
	// formSlack is what a form adds to its file.
	formSlack = 1 << 20
)

// uploadFile takes a form and streams the file in it to where it is kept.
func (a *API) uploadFile(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	in := file.UploadInput{Process: args.Bool("process", true), Wait: !args.Bool("process_in_background", true)}
	if err := args.Err(); err != nil {
		return err
	}
	if err := a.mayUpload(r, c); err != nil {
		return err
	}
	limit := a.Files.MaxSize()
	if r.ContentLength > limit+formSlack {
		w.Header().Set("Connection", "close")
		return errdefs.Newf(errdefs.TooLarge, "The file is larger than the %s that are allowed.", blob.Size(limit))
	}
	form, err := newForm(r)
	if err != nil {
		return err
	}
	part, err := form.file()
	if err != nil {
		return err
	}
	in.Filename, in.ContentType, in.Body = part.FileName(), part.Header.Get("Content-Type"), form.body(part)
	in.Finish = func(in *file.UploadInput) error {
		err := form.rest()
		in.Metadata = form.metadata
		return err
	}
	f, err := a.Files.Upload(r.Context(), c.Who, in)
	if err != nil {
		// What is left of the body is not worth waiting for.
		w.Header().Set("Connection", "close")
		return err
	}
	out, err := a.wholeFile(r.Context(), f, false)
	if err != nil {
		return err
	}
	out.Path = f.ID
	if in.Process {
		out.Status = &in.Process
	}
	return route.WriteJSON(w, http.StatusOK, out)
}

var errMayNotUpload = errdefs.New(errdefs.Forbidden, "You may not upload files. Ask an administrator for the permission.").WithStatus(http.StatusUnauthorized)

// mayUpload asks for the permission to bring files to chats or to collections.
func (a *API) mayUpload(r *http.Request, c *route.Call) error {
	if c.Who.IsAdmin() {
		return nil
	}
	p, err := a.Auth.Permissions(r.Context(), c.Who.UserID)
	if err == nil && !p.Has("chat.file_upload") && !p.Has("workspace.knowledge") {
		return errMayNotUpload
	}
	return err
}

// form reads a multipart body part by part, in whatever order they come.
type form struct {
	parts    *multipart.Reader
	meter    *meter
	count    int
	metadata json.RawMessage
}

func noFile() error { return route.Fault("missing", []any{"body", "file"}, "Field required", nil) }

var (
	errForm     = errdefs.New(errdefs.Invalid, "The form cannot be read: its parts must be those of multipart/form-data.")
	errPartHead = errdefs.New(errdefs.Invalid, "The head of a part of the form is larger than 16 KiB.")
	errParts    = errdefs.New(errdefs.Invalid, "The form has more than 32 parts.")
	errField    = errdefs.New(errdefs.Invalid, "A field of the form is larger than 64 KiB.")
	errTwoFiles = errdefs.New(errdefs.Invalid, "The form has two files. Send each in a request of its own.")
)

func newForm(r *http.Request) (*form, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	boundary := params["boundary"]
	if err != nil || media != "multipart/form-data" || boundary == "" {
		return nil, noFile()
	}
	if len(boundary) > maxBoundary {
		return nil, errForm
	}
	m := &meter{r: r.Body, left: -1}
	return &form{parts: multipart.NewReader(m, boundary), meter: m}, nil
}

// next gives the next part, io.EOF after the last one.
func (f *form) next() (*multipart.Part, error) {
	if f.count++; f.count > maxParts {
		return nil, errParts
	}
	// The reader takes up to its buffer beyond the head.
	f.meter.left = maxPartHead + 8<<10
	part, err := f.parts.NextPart()
	f.meter.left = -1
	switch {
	case err == nil, err == io.EOF:
		return part, err
	case f.meter.err != nil:
		return nil, f.meter.fault()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errdefs.BrokenBody(err)
	}
	return nil, errForm.WithCause(err)
}

// file gives the part with the file; fields before it are kept.
func (f *form) file() (*multipart.Part, error) {
	for {
		part, err := f.next()
		if err == io.EOF {
			return nil, noFile()
		}
		if err != nil {
			return nil, err
		}
		if part.FormName() == "file" && part.FileName() != "" {
			return part, nil
		}
		if err := f.field(part); err != nil {
			return nil, err
		}
	}
}

// rest reads the fields behind the file.
func (f *form) rest() error {
	for {
		part, err := f.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if part.FormName() == "file" {
			return errTwoFiles
		}
		if err := f.field(part); err != nil {
			return err
		}
	}
}

// field keeps the metadata; other fields are ignored.
func (f *form) field(part *multipart.Part) error {
	text, err := io.ReadAll(io.LimitReader(f.body(part), maxField+1))
	if err != nil {
		return err
	}
	if len(text) > maxField {
		return errField
	}
	if part.FormName() == "metadata" {
		f.metadata = text
	}
	return nil
}

// body reads a part with the errors that a caller may read.
func (f *form) body(part *multipart.Part) io.Reader { return partBody{f, part} }

type partBody struct {
	form *form
	part *multipart.Part
}

func (b partBody) Read(p []byte) (int, error) {
	n, err := b.part.Read(p)
	switch {
	case err == nil, err == io.EOF:
		return n, err
	case b.form.meter.err != nil:
		return n, b.form.meter.fault()
	}
	return n, errdefs.BrokenBody(err)
}

// meter notes how reading the body failed, and bounds it where left is not
// negative.
type meter struct {
	r    io.Reader
	left int64
	err  error
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left == 0 {
		m.err = errPartHead
		return 0, m.err
	}
	if m.left > 0 && int64(len(p)) > m.left {
		p = p[:m.left]
	}
	n, err := m.r.Read(p)
	if m.left > 0 {
		m.left -= int64(n)
	}
	if err != nil && err != io.EOF {
		m.err = err
	}
	return n, err
}

func (m *meter) fault() error {
	if m.err == errPartHead {
		return m.err
	}
	return route.BodyError(m.err)
}

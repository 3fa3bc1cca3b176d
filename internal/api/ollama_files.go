package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/provider"
	wire "portico/internal/schema/ollama"
)

// ollamaSources are where files of models may be fetched from.
var ollamaSources = []string{"https://huggingface.co/", "https://github.com/"}

// ollamaDownload fetches a file of a model and gives it to a connection as a
// blob, telling how far it is.
func (a *API) ollamaDownload(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in wire.Download
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	name, err := ollamaSource(in.URL)
	if err != nil {
		return err
	}
	into, err := a.ollamaImporter(r)
	if err != nil {
		return err
	}
	body, size, err := a.Doors.Fetch(r.Context(), in.URL)
	if err != nil {
		return errdefs.New(errdefs.Upstream, "The file could not be fetched. Check the address, and that it is open to everybody.").WithCause(err)
	}
	defer body.Close()
	file, err := a.ollamaTemp()
	if err != nil {
		return err
	}
	defer file.drop()

	out := newTransfer(w, size)
	_, err = io.Copy(file, &reporting{body, 0, out.report})
	var blob string
	if err == nil {
		blob, err = into(r.Context(), file.File, name, "", nil)
	}
	return out.end(wire.Transfer{Done: true, Blob: blob, Name: name}, err)
}

// ollamaSource checks the address of a file and gives the file's name.
func ollamaSource(address string) (string, error) {
	u, err := url.Parse(address)
	for _, prefix := range ollamaSources {
		if err == nil && u.User == nil && strings.HasPrefix(address, prefix) {
			return fileName(u.Path), nil
		}
	}
	return "", errdefs.New(errdefs.Invalid, "Files can be fetched from https://huggingface.co/ and https://github.com/ only.")
}

// fileName is the last part of a path, as far as it is harmless.
func fileName(p string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`<>:"|?*`, r) {
			return -1
		}
		return r
	}, path.Base(strings.ReplaceAll(p, `\`, "/")))
	if name = strings.TrimLeft(name, "."); name == "" || name == "/" {
		return "model.gguf"
	}
	return name
}

// ollamaUpload takes a file of a model, gives it to a connection and makes a
// model of it, telling how far it is.
func (a *API) ollamaUpload(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	into, err := a.ollamaImporter(r)
	if err != nil {
		return err
	}
	file, err := a.ollamaTemp()
	if err != nil {
		return err
	}
	defer file.drop()
	name, err := receive(r, file)
	if err != nil {
		return err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	model := strings.TrimSuffix(name, path.Ext(name))
	out := newTransfer(w, size)
	blob, err := into(r.Context(), file.File, name, model, out.report)
	return out.end(wire.Transfer{Done: true, Blob: blob, Name: name, ModelCreated: model}, err)
}

// receive writes the part "file" of a form to dst and gives its name.
func receive(r *http.Request, dst io.Writer) (string, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return "", route.Fault("missing", []any{"body", "file"}, "Field required", nil)
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return "", route.Fault("missing", []any{"body", "file"}, "Field required", nil)
		}
		if err != nil {
			return "", route.BodyError(err)
		}
		if part.FormName() != "file" {
			continue
		}
		if _, err := io.Copy(dst, part); err != nil {
			return "", route.BodyError(err)
		}
		return fileName(part.FileName()), nil
	}
}

// importer is provider.Importer.Import of one connection.
type importer func(ctx context.Context, file io.ReadSeeker, name, model string, report func(int64)) (string, error)

func (a *API) ollamaImporter(r *http.Request) (importer, error) {
	if err := a.ollamaOn(); err != nil {
		return nil, err
	}
	b, err := a.ollamaOne(r)
	if err != nil {
		return nil, err
	}
	f, ok := b.Provider.(provider.Importer)
	if !ok {
		return nil, errNoOllama
	}
	return func(ctx context.Context, file io.ReadSeeker, name, model string, report func(int64)) (string, error) {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return "", err
		}
		digest, err := f.Import(ctx, file, name, model, report)
		if err == nil && model != "" {
			a.ollamaRefresh(b.Index)()
		}
		return digest, err
	}, nil
}

// tempFile is a file that is gone when it is dropped.
type tempFile struct{ *os.File }

func (a *API) ollamaTemp() (*tempFile, error) {
	f, err := os.CreateTemp(a.Doors.TempDir, "portico-model-*")
	return &tempFile{f}, err
}

func (f *tempFile) drop() {
	_ = f.Close()           // it is not read again
	_ = os.Remove(f.Name()) // what is left, the system's cleaning takes
}

// transfer tells a client in events how far a file is.
type transfer struct {
	w     http.ResponseWriter
	total int64
	told  time.Time
}

// tellEvery is the least time between two events.
const tellEvery = 250 * time.Millisecond

func newTransfer(w http.ResponseWriter, total int64) *transfer {
	h := w.Header()
	h["Content-Type"] = []string{"text/event-stream"}
	h["Cache-Control"] = []string{"no-cache"}
	h["X-Accel-Buffering"] = []string{"no"}
	return &transfer{w: w, total: total}
}

func (t *transfer) report(completed int64) {
	if now := time.Now(); now.Sub(t.told) >= tellEvery || completed == t.total {
		t.told = now
		e := wire.Transfer{Total: max(t.total, 0), Completed: completed}
		if t.total > 0 {
			e.Progress = float64(completed*1000/t.total) / 10
		}
		t.send(e)
	}
}

func (t *transfer) send(e wire.Transfer) {
	raw, err := route.Marshal(e)
	if err != nil {
		return
	}
	// A client that left shows in the request's context, which ends the work.
	_, _ = t.w.Write(append(append([]byte("data: "), raw...), "\n\n"...))
	_ = http.NewResponseController(t.w).Flush()
}

// end tells how it ended.
func (t *transfer) end(last wire.Transfer, err error) error {
	if err != nil {
		t.send(wire.Transfer{Error: errdefs.From(err).Detail})
		return err // the answer has begun: this is for the log
	}
	last.Progress = 100
	t.send(last)
	return nil
}

// reporting counts what is read.
type reporting struct {
	r      io.Reader
	n      int64
	report func(int64)
}

func (c *reporting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n += int64(n); n > 0 {
		c.report(c.n)
	}
	return n, err
}

package file

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"portico/internal/access"
	"portico/internal/blob"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/setting"
)

const (
	defaultMaxSize = 256 << 20
	maxName        = 255 // bytes
	maxMetadata    = 64 << 10

	// quick is the size up to which a text is read while the client waits, and
	// patience how long it then waits at most; sincere is the latter for a client
	// that asked to wait.
	quick    = 256 << 10
	patience = 5 * time.Second
	sincere  = 60 * time.Second
	// maxHeld is how many uploads wait unasked at once. Whoever brings many
	// would only bring them later.
	maxHeld = 4
)

// UploadInput is a file to keep.
type UploadInput struct {
	Kind        string // "" is Upload
	Filename    string // as the client named it
	ContentType string // as the client said; may be wrong or empty
	Body        io.Reader
	// Metadata is a JSON object of the client's own, or nil. Its members
	// knowledge_id and directory_id name where the file goes once it is read.
	Metadata json.RawMessage
	// Finish, if set, is called when Body is read to its end, and may complete
	// the input with what came behind it.
	Finish func(in *UploadInput) error
	// Process asks for the file to be read; Wait to be told only then, as far as
	// that takes less than a minute.
	Process, Wait bool
}

// MaxSize is how many bytes one file may have.
func (s *Service) MaxSize() int64 {
	if n := setting.Get(s.cfg.Settings, setting.FileMaxSize); n > 0 {
		return int64(n) << 20
	}
	return defaultMaxSize
}

// Upload keeps a file. When it returns, bytes and row are safe. A small text
// is then read, too, unless that takes long; all else is pending.
func (s *Service) Upload(ctx context.Context, who *access.Principal, in UploadInput) (*File, error) {
	if err := s.checkName(&in); err != nil {
		return nil, err
	}
	limit, err := s.allowance(ctx, who)
	if err != nil {
		return nil, err
	}
	body := s.guard(ctx, who, in.Body)
	defer body.release()
	b, err := s.cfg.Blobs.Put(ctx, body, limit)
	if errdefs.Is(err, errdefs.TooLarge) && limit < s.MaxSize() {
		err = errQuota.WithCause(err)
	}
	if err != nil {
		return nil, err
	}
	f, err := s.create(ctx, who, &in, b, body.head())
	if err != nil {
		s.discard(ctx, b.Hash)
		return nil, err
	}
	if !in.Process {
		return f, nil
	}
	s.cfg.Reader.Wake()
	return s.hold(ctx, f, body.head(), in.Wait), nil
}

// create makes the row of a blob. It does so soon after the blob was put: see
// blob.Grace.
func (s *Service) create(ctx context.Context, who *access.Principal, in *UploadInput, b blob.Blob, head []byte) (*File, error) {
	began := s.cfg.Now()
	if b.Size == 0 {
		return nil, errEmpty
	}
	if in.Finish != nil {
		if err := in.Finish(in); err != nil {
			return nil, err
		}
	}
	now := s.cfg.Now().Unix()
	f := &File{
		ID: s.cfg.NewID(), UserID: who.UserID, Kind: in.Kind, Filename: in.Filename, ContentType: mediaType(in.ContentType, in.Filename, head),
		Size: b.Size, Blob: b.Hash, CreatedAt: now, UpdatedAt: now,
	}
	if f.Kind == "" {
		f.Kind = Upload
	}
	if err := f.takeMetadata(in.Metadata); err != nil {
		return nil, err
	}
	if in.Process {
		f.Status = Pending
		s.bind(f)
	} else {
		f.Target = Target{} // only what can be searched goes into a collection
	}
	if s.cfg.Now().Sub(began) > blob.Grace/4 {
		return nil, errSlow // what came behind the file took so long that the blob may be gone
	}
	commit, cancel := context.WithTimeout(ctx, blob.Grace/4)
	defer cancel()
	err := s.cfg.Store.CreateFile(commit, f, in.Process)
	if err == nil {
		err = s.stillThere(commit, f)
	}
	if err != nil {
		s.unbind(f.ID)
		return nil, err
	}
	return f, nil
}

// stillThere takes a row away again whose owner was deleted while it was made.
func (s *Service) stillThere(ctx context.Context, f *File) error {
	_, err := s.cfg.Person(ctx, f.UserID)
	if !errdefs.Is(err, errdefs.NotFound) {
		return nil // that the row is there is what counts
	}
	if _, err := s.cfg.Store.DeleteFile(ctx, f.ID); err != nil && !errdefs.Is(err, errdefs.NotFound) {
		s.cfg.Log.Warn("the file of a deleted account stays until the janitor comes", "file", f.ID, "err", err)
	}
	return errGone
}

var (
	errEmpty = errdefs.New(errdefs.Invalid, "The file is empty. Choose one with something in it.")
	errSlow  = errdefs.New(errdefs.Invalid, "The end of the upload took too long to arrive. Try again.").WithStatus(http.StatusRequestTimeout)
	errQuota = errdefs.New(errdefs.Unavailable, "Your files take up all the room that one person may have here. Delete some, or ask an administrator for more.").
			WithStatus(http.StatusInsufficientStorage)
	errMetadata = errdefs.New(errdefs.Invalid, "The form field metadata must be a JSON object of at most 64 KiB.")
	errGone     = errdefs.New(errdefs.Unauthenticated, "This account was deleted.")
)

// takeMetadata keeps the client's object, and what it asks for.
func (f *File) takeMetadata(raw json.RawMessage) error {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		f.Metadata = json.RawMessage(`{}`)
		return nil
	}
	var ask struct {
		KnowledgeID json.RawMessage `json:"knowledge_id"`
		DirectoryID json.RawMessage `json:"directory_id"`
	}
	if len(raw) > maxMetadata || raw[0] != '{' || !utf8.Valid(raw) || json.Unmarshal(raw, &ask) != nil {
		return errMetadata
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return errMetadata
	}
	f.Metadata = compact.Bytes()
	// What is no text names nothing.
	_ = json.Unmarshal(ask.KnowledgeID, &f.Target.KnowledgeID)
	_ = json.Unmarshal(ask.DirectoryID, &f.Target.DirectoryID)
	return nil
}

// checkName makes a name fit to be kept and shown, and refuses the extensions
// that are not allowed. The name is a text; nothing on disk is called by it.
func (s *Service) checkName(in *UploadInput) error {
	name, err := CleanName(in.Filename)
	if err != nil {
		return err
	}
	in.Filename = name
	allowed := setting.Get(s.cfg.Settings, setting.AllowedExtensions)
	if !in.Process || len(allowed) == 0 {
		return nil
	}
	ext := extension(name)
	for _, a := range allowed {
		if strings.ToLower(strings.TrimPrefix(a, ".")) == ext {
			return nil
		}
	}
	return errdefs.Newf(errdefs.Invalid, "Files with the extension %q may not be uploaded here; allowed are %s.", ext, strings.Join(allowed, ", "))
}

// extension is that of a name, in lower case and without its dot.
func extension(name string) string {
	return strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))
}

// CleanName makes a file's name fit to be kept: without control characters, in
// UTF-8. A name that is empty then, or longer than 255 bytes, is refused.
func CleanName(name string) (string, error) {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "\ufffd"))
	if name = strings.TrimSpace(name); name == "" {
		return "", errdefs.New(errdefs.Invalid, "The file has no name.")
	}
	if len(name) > maxName {
		return "", errdefs.Newf(errdefs.Invalid, "The file's name is longer than %d bytes. Give it a shorter one.", maxName)
	}
	return name, nil
}

// allowance is how many bytes the caller may add with one file.
func (s *Service) allowance(ctx context.Context, who *access.Principal) (int64, error) {
	limit, q := s.MaxSize(), s.cfg.Quota
	if q.Files <= 0 && q.Bytes <= 0 {
		return limit, nil
	}
	n, used, err := s.cfg.Store.CountFiles(ctx, who.UserID)
	if err != nil {
		return 0, err
	}
	if q.Files > 0 && n >= q.Files {
		return 0, errdefs.Newf(errdefs.Unavailable, "You have %d files, which is as many as one person may have here. Delete some, or ask an administrator for more.", n).
			WithStatus(http.StatusInsufficientStorage)
	}
	if q.Bytes > 0 {
		if used >= q.Bytes {
			return 0, errQuota
		}
		limit = min(limit, q.Bytes-used)
	}
	return limit, nil
}

// guarded is the body of an upload: it remembers its beginning, and ends when
// the account of the caller does.
type guarded struct {
	io.Reader
	first   [512]byte
	n       int
	changed atomic.Bool
	gone    func() error
	release func()
}

func (s *Service) guard(ctx context.Context, who *access.Principal, r io.Reader) *guarded {
	g := &guarded{Reader: r}
	g.release = s.cfg.Bus.Subscribe(func(e event.Event) {
		if e.Topic == event.Reset || e.Topic == event.User && e.ID == who.UserID {
			g.changed.Store(true)
		}
	})
	g.gone = func() error {
		_, err := s.cfg.Person(ctx, who.UserID)
		if errdefs.Is(err, errdefs.NotFound) {
			return errGone
		}
		return nil // what else is wrong, the row will tell
	}
	return g
}

func (g *guarded) Read(p []byte) (int, error) {
	if g.changed.Swap(false) {
		if err := g.gone(); err != nil {
			return 0, err
		}
	}
	n, err := g.Reader.Read(p)
	g.n += copy(g.first[g.n:], p[:n])
	return n, err
}

func (g *guarded) head() []byte { return g.first[:g.n] }

// hold waits for a file that is quickly read, so that the answer says that it
// is ready when it is.
func (s *Service) hold(ctx context.Context, f *File, head []byte, asked bool) *File {
	switch {
	case asked:
		return s.await(ctx, f, sincere)
	case f.Size > quick || slow(f.Filename, head):
		return f
	}
	return s.briefly(ctx, f)
}

// briefly waits a little, unless too many do.
func (s *Service) briefly(ctx context.Context, f *File) *File {
	select {
	case s.held <- struct{}{}:
		defer func() { <-s.held }()
		return s.await(ctx, f, patience)
	default:
		return f
	}
}

// await gives the file as it is once it is read, or when the time is over.
func (s *Service) await(ctx context.Context, f *File, limit time.Duration) *File {
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	now, err := s.cfg.Reader.Wait(wait, f.ID)
	if err != nil {
		// The file is safe whatever becomes of the wait.
		s.cfg.Log.Warn("a file could not be waited for", "file", f.ID, "err", err)
		return f
	}
	s.settle(wait, now)
	return now
}

// slowKinds are extensions of files that take a program of their own to read.
var slowKinds = []string{"pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods", "odp", "rtf", "epub", "msg", "eml", "zip",
	"png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff"}

// slow reports whether a file is not a plain text, by its name and its bytes.
func slow(name string, head []byte) bool {
	if slices.Contains(slowKinds, extension(name)) {
		return true
	}
	for _, mark := range []string{"%PDF-", "PK\x03\x04", "\xd0\xcf\x11\xe0", "{\\rtf"} {
		if bytes.HasPrefix(head, []byte(mark)) {
			return true
		}
	}
	return false
}

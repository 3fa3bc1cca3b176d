package retrieval

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/knowledge"
)

const (
	// processWait is how long a request that processes something waits for it.
	processWait = 5 * time.Minute
	maxText     = 16 << 20 // bytes of a text that a client brings
	maxPageName = 200      // bytes of a page's title that become its file's name
)

// Processed is what was made searchable, and by which name it is found.
type Processed struct {
	Collection string
	File       *file.File // nil where nothing was kept
	Name       string
	URL        string // of a page
	Text       string
}

var (
	errEmptyText = &errdefs.Error{Kind: errdefs.Invalid, Code: knowledge.EmptyContent, Detail: "The content provided is empty."}
	errBadName   = errdefs.New(errdefs.Invalid, "A collection is named by 1 to 255 letters, digits, hyphens and underscores.")
	errNoSuch    = errdefs.New(errdefs.NotFound, "There is no such file, or it is not yours.")
	errNoWrite   = errdefs.New(errdefs.Forbidden, "This collection is not there, or you may not change it.")
)

// ProcessFile makes a file searchable that is not, or is to have another text,
// and puts it into a collection if one is named.
func (s *Service) ProcessFile(ctx context.Context, who *access.Principal, id, content, collection string) (*Processed, error) {
	verb := access.Write
	if content == "" && collection != "" {
		verb = access.Read
	}
	f, err := s.files.Load(ctx, who, verb, id)
	if isDenied(err) {
		return nil, errNoSuch
	}
	if err != nil {
		return nil, err
	}
	var k *knowledge.Knowledge
	if collection != "" && collection != FilePrefix+f.ID {
		if k, err = s.writable(ctx, who, collection); err != nil {
			return nil, err
		}
		if err := s.knowledge.MayAdd(ctx, who, k, f); err != nil {
			return nil, err
		}
	}
	switch {
	case content != "":
		err = s.Replace(ctx, f, content)
	case f.Status == file.Stored, f.Status == file.Failed:
		if verb == access.Read && f.UserID != who.UserID && !who.IsAdmin() {
			return nil, errUnread
		}
		err = s.anew(ctx, f, file.Outcome{})
	}
	if err != nil {
		return nil, err
	}
	if f, err = s.processed(ctx, f.ID); err != nil {
		return nil, err
	}
	out := &Processed{Collection: FilePrefix + f.ID, File: f, Name: f.Filename}
	if k != nil {
		out.Collection = collection
		if err := s.link(ctx, who, k, f); err != nil {
			return nil, err
		}
	}
	out.Text, err = s.Text(ctx, f)
	return out, err
}

// processed waits for a file to be searchable.
func (s *Service) processed(ctx context.Context, id string) (*file.File, error) {
	wait, cancel := context.WithTimeout(ctx, processWait)
	defer cancel()
	f, err := s.Wait(wait, id)
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case f.Status == file.Failed:
		return nil, errdefs.New(errdefs.Invalid, f.Error)
	case !f.Status.Done():
		return nil, errStillInWork
	}
	return f, nil
}

// link puts a file into a collection, exactly once.
func (s *Service) link(ctx context.Context, who *access.Principal, k *knowledge.Knowledge, f *file.File) error {
	wait, cancel := context.WithTimeout(ctx, processWait)
	defer cancel()
	if err := s.Ready(wait, f.ID, k); err != nil {
		return err
	}
	now := s.now()
	_, _, err := s.cfg.Knowledge.LinkFile(ctx, &knowledge.Entry{File: f, KnowledgeID: k.ID, UserID: who.UserID, CreatedAt: now, UpdatedAt: now})
	if errdefs.Is(err, errdefs.Conflict) {
		return &errdefs.Error{Kind: errdefs.Invalid, Code: knowledge.DuplicateContent, Err: err,
			Detail: "Duplicate content detected. Another file of this collection has the same text."}
	}
	return err
}

// ProcessText keeps a text and makes it searchable as a collection of the
// caller's, or as a part of one that they may write. A text that is in it
// already is not added again.
func (s *Service) ProcessText(ctx context.Context, who *access.Principal, name, content, collection string) (*Processed, error) {
	content = strings.ToValidUTF8(content, "�")
	if strings.TrimSpace(content) == "" {
		return nil, errEmptyText
	}
	if len(content) > maxText {
		return nil, errdefs.Newf(errdefs.TooLarge, "A text may have at most %d MiB.", maxText>>20)
	}
	collection = cmp.Or(collection, hashOf(content))
	k, err := s.writableOrNew(ctx, who, collection)
	if err != nil {
		return nil, err
	}
	// A name without an extension, so that no format is looked for in a text.
	f, err := s.keep(ctx, who, k, file.UploadInput{
		Kind: file.Text, Filename: cut(cmp.Or(strings.TrimSpace(name), "text"), maxPageName), ContentType: "text/plain", Body: strings.NewReader(content),
	}, map[string]string{"name": name, "source": name})
	if err != nil {
		return nil, err
	}
	return &Processed{Collection: collection, File: f, Name: name, Text: content}, nil
}

// ProcessPage is the same for a web page. Without keep it is only read. With
// overwrite it takes the place of what the address gave before.
func (s *Service) ProcessPage(ctx context.Context, who *access.Principal, url, collection string, keep, overwrite bool) (*Processed, error) {
	sum := sha256.Sum256([]byte(url))
	collection = cmp.Or(collection, hex.EncodeToString(sum[:])[:63])
	var k *knowledge.Knowledge
	var err error
	if keep {
		if k, err = s.writableOrNew(ctx, who, collection); err != nil {
			return nil, err
		}
	}
	page, err := s.readPage(ctx, url)
	if err != nil {
		return nil, err
	}
	out := &Processed{Collection: collection, Name: page.title, URL: url, Text: page.doc.Text}
	if !keep {
		return out, nil
	}
	old, err := s.pagesOf(ctx, k, url)
	if err != nil {
		return nil, err
	}
	if len(old) > 0 && !overwrite {
		return out, nil
	}
	out.File, err = s.keep(ctx, who, k, file.UploadInput{
		Kind: file.Web, Filename: cut(page.title, maxPageName), ContentType: page.ContentType, Body: bytes.NewReader(page.Body),
	}, map[string]string{"name": page.title, "source": url})
	if err != nil {
		return nil, err
	}
	return out, s.forgetPages(ctx, who, k, old, out.File.ID)
}

// keep uploads what the server was given, waits until it is searchable, and
// puts it into a collection. What fails leaves nothing.
func (s *Service) keep(ctx context.Context, who *access.Principal, k *knowledge.Knowledge, in file.UploadInput, meta map[string]string) (_ *file.File, err error) {
	if in.Metadata, err = json.Marshal(meta); err != nil {
		return nil, err
	}
	in.Process = true
	f, err := s.files.Upload(ctx, who, in)
	if err != nil {
		return nil, err
	}
	done, err := s.processed(ctx, f.ID)
	if err == nil {
		err = s.link(ctx, who, k, done)
	}
	if err == nil {
		return done, nil
	}
	if rmErr := s.files.Delete(context.WithoutCancel(ctx), who, f.ID); rmErr != nil && !isGone(rmErr) {
		s.cfg.Log.Warn("a text that could not be kept could not be removed either", "file", f.ID, "err", rmErr)
	}
	if known := errdefs.From(err); known.Code == knowledge.DuplicateContent {
		return f, nil // it is there
	}
	return nil, err
}

// pagesOf gives the pages of an address in a collection.
func (s *Service) pagesOf(ctx context.Context, k *knowledge.Knowledge, url string) ([]*file.File, error) {
	entries, _, err := s.cfg.Knowledge.Entries(ctx, k.ID, knowledge.FileFilter{Limit: wholeFiles})
	var out []*file.File
	for _, e := range entries {
		if e.File.Kind == file.Web && sourceOf(e.File) == url {
			out = append(out, e.File)
		}
	}
	return out, err
}

func (s *Service) forgetPages(ctx context.Context, who *access.Principal, k *knowledge.Knowledge, old []*file.File, except string) error {
	for _, f := range old {
		if f.ID == except {
			continue
		}
		if err := s.cfg.Knowledge.UnlinkFiles(ctx, k.ID, []string{f.ID}); err != nil {
			return err
		}
		if f.UserID != who.UserID {
			continue
		}
		if err := s.files.Delete(ctx, who, f.ID); err != nil && !isGone(err) {
			return err
		}
	}
	return nil
}

// writable is a collection that the caller may change.
func (s *Service) writable(ctx context.Context, who *access.Principal, name string) (*knowledge.Knowledge, error) {
	if strings.HasPrefix(name, FilePrefix) {
		return nil, errNoWrite // a file is no place for others
	}
	_, k, err := s.find(ctx, who, access.Write, name)
	if isDenied(err) {
		return nil, errNoWrite
	}
	return k, err
}

var collectionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// reserved are names that mean something elsewhere in the API.
var reserved = []string{FilePrefix, "user-memory-", "web-search-", "knowledge-bases"}

// writableOrNew is a collection that the caller may change; an unknown name
// makes one of kind text, which only its owner finds.
func (s *Service) writableOrNew(ctx context.Context, who *access.Principal, name string) (*knowledge.Knowledge, error) {
	for _, prefix := range reserved {
		if strings.HasPrefix(name, prefix) {
			return nil, errNoWrite
		}
	}
	_, k, err := s.find(ctx, who, access.Write, name)
	switch {
	case err == nil:
		return k, nil
	case !errdefs.Is(err, errdefs.NotFound) && isDenied(err):
		return nil, errNoWrite
	case !errdefs.Is(err, errdefs.NotFound):
		return nil, err
	case !collectionName.MatchString(name):
		return nil, errBadName
	}
	now := s.now()
	k = &knowledge.Knowledge{ID: s.cfg.NewID(), UserID: who.UserID, Kind: knowledge.Text, Name: name, CreatedAt: now, UpdatedAt: now}
	return k, s.cfg.Knowledge.CreateKnowledge(ctx, k, nil)
}

// Forget takes a file out of a collection, for an administrator; false when it
// was not in it.
func (s *Service) Forget(ctx context.Context, who *access.Principal, collection, fileID string) (bool, error) {
	_, k, err := s.find(ctx, who, access.Write, collection)
	if err != nil || k == nil {
		if isDenied(err) {
			err = nil
		}
		return false, err
	}
	if _, err := s.cfg.Knowledge.Entry(ctx, k.ID, fileID); err != nil {
		return false, ignoreGone(err)
	}
	return true, s.cfg.Knowledge.UnlinkFiles(ctx, k.ID, []string{fileID})
}

// cut keeps the beginning of a text, at most n bytes of it.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// ResetCollections deletes all collections. Files stay.
func (s *Service) ResetCollections(ctx context.Context) error {
	for {
		page, _, err := s.cfg.Knowledge.KnowledgeList(ctx, knowledge.Filter{All: true, Limit: settlePage})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, k := range page {
			if err := s.cfg.Knowledge.DeleteKnowledge(ctx, k.ID); err != nil && !errdefs.Is(err, errdefs.NotFound) {
				return err
			}
		}
	}
}

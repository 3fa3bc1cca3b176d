package knowledge

import (
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/file"
)

// Addition is a file that is to be put into a collection.
type Addition struct {
	FileID      string
	DirectoryID string // "" is the top
	Path        string // in a folder that is kept in sync, "" else
	twice       bool
}

// Failure is a file that could not be added, and why.
type Failure struct {
	FileID string
	Err    error
}

// AddFile puts a file into a collection, exactly once. A file in work is waited
// for, not longer than the room's patience or ctx. What fails leaves nothing,
// and the file as it was. Nothing is embedded here.
func (s *Service) AddFile(ctx context.Context, who *access.Principal, id string, a Addition) (*Sheet, error) {
	k, err := s.collection(ctx, who, access.Write, id)
	if err != nil {
		return nil, err
	}
	ctx2, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	if err := s.add(ctx2, who, k, a); err != nil {
		return nil, err
	}
	return s.sheet(ctx, who, k)
}

// AddFiles puts files into a collection, each for itself, and tells which
// failed. All of them together are waited for as long as one.
func (s *Service) AddFiles(ctx context.Context, who *access.Principal, id string, adds []Addition) (*Sheet, []Failure, error) {
	k, err := s.collection(ctx, who, access.Write, id)
	if err != nil {
		return nil, nil, err
	}
	patience, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	var failed []Failure
	for _, a := range adds {
		if err := s.add(patience, who, k, a); err != nil {
			failed = append(failed, Failure{a.FileID, err})
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
	}
	sheet, err := s.sheet(ctx, who, k)
	return sheet, failed, err
}

func (s *Service) add(ctx context.Context, who *access.Principal, k *Knowledge, a Addition) error {
	f, err := s.cfg.Files.Load(ctx, who, access.Read, a.FileID)
	if err != nil {
		return err
	}
	if a.DirectoryID != "" {
		if _, _, err := s.directory(ctx, k.ID, a.DirectoryID); err != nil {
			return err
		}
	}
	if err := s.MayAdd(ctx, who, k, f); err != nil {
		return err
	}
	if f, err = s.whenRead(ctx, f); err != nil {
		return err
	}
	if err := s.ready(ctx, f.ID, k); err != nil {
		return err
	}
	return s.link(ctx, who, k, f, a)
}

var errNotToPassOn = errdefs.New(errdefs.Invalid, "This file is only shared with you. Who uploaded it, or an administrator, can put it into a collection.").
	WithStatus(http.StatusForbidden)

// MayAdd refuses to pass on what the caller may only read: a collection would
// show it to others, and to the caller when it is no longer shared with them.
// What is in the collection already may be added again.
func (s *Service) MayAdd(ctx context.Context, who *access.Principal, k *Knowledge, f *file.File) error {
	if f.UserID == who.UserID || s.seesAll(who) {
		return nil
	}
	_, err := s.cfg.Store.Entry(ctx, k.ID, f.ID)
	if errdefs.Is(err, errdefs.NotFound) {
		return errNotToPassOn
	}
	return err
}

// whenRead gives a file once it is read, or the reason why it is not.
func (s *Service) whenRead(ctx context.Context, f *file.File) (_ *file.File, err error) {
	if f.Status == file.Stored {
		return nil, errdefs.New(errdefs.Invalid, "This file was stored without being read. Upload it again with process=true.")
	}
	if !f.Status.Done() {
		if f, err = s.cfg.Reader.Wait(ctx, f.ID); err != nil {
			return nil, inWork(err)
		}
	}
	switch {
	case f.Status == file.Failed:
		return nil, unreadable(f.Error)
	case f.Status != file.Completed:
		return nil, inWork(context.DeadlineExceeded)
	case f.TextHash == "":
		return nil, unreadable("There is no text in the file.")
	}
	return f, nil
}

// ready waits until a file can be searched as the collection is.
func (s *Service) ready(ctx context.Context, fileID string, k *Knowledge) error {
	return inWork(s.cfg.Indexer.Ready(ctx, fileID, k))
}

// inWork says of a wait that took too long what it waited for.
func inWork(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &errdefs.Error{Kind: errdefs.Invalid, Code: EmptyContent, Err: err, Detail: "The file is still being read. Try again in a moment."}
}

// The codes of failures that clients of the documented API tell by their text.
const (
	EmptyContent     = "empty_content"
	DuplicateContent = "duplicate_content"
)

func unreadable(reason string) error {
	if reason == "" {
		reason = "The file could not be read."
	}
	return &errdefs.Error{Kind: errdefs.Invalid, Code: EmptyContent, Detail: "The content provided is empty or cannot be used. " + reason}
}

// link makes the link, and lets go of the files whose path it takes.
func (s *Service) link(ctx context.Context, who *access.Principal, k *Knowledge, f *file.File, a Addition) error {
	now := s.now()
	_, replaced, err := s.cfg.Store.LinkFile(ctx, &Entry{File: f, KnowledgeID: k.ID, DirectoryID: a.DirectoryID,
		UserID: who.UserID, Path: a.Path, Twice: a.twice, CreatedAt: now, UpdatedAt: now})
	if errdefs.Is(err, errdefs.Conflict) {
		return &errdefs.Error{Kind: errdefs.Invalid, Code: DuplicateContent, Err: err,
			Detail: "Duplicate content detected. Another file of this collection has the same text."}
	}
	if err != nil {
		return err
	}
	return s.drop(ctx, who, k.ID, replaced)
}

// LinkFile implements file.Linker: it puts an upload into the collection that
// it named, exactly once, however often it is called.
func (s *Service) LinkFile(ctx context.Context, who *access.Principal, fileID, id, directoryID string) error {
	k, err := s.collection(ctx, who, access.Write, id)
	if err != nil {
		return err
	}
	f, err := s.cfg.Files.Load(ctx, who, access.Read, fileID)
	if err != nil {
		return err
	}
	t, _ := targetOf(f)
	if t.Path != "" {
		if err := checkPath(t.Path); err != nil {
			return err
		}
	}
	patience, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	return s.add(patience, who, k, Addition{FileID: fileID, DirectoryID: directoryID, Path: t.Path, twice: t.Path != "" || directoryID != ""})
}

// RemoveFile takes a file out of a collection. With discard the file itself
// goes too, where it is the caller's to delete and in no other collection.
func (s *Service) RemoveFile(ctx context.Context, who *access.Principal, id, fileID string, discard bool) (*Sheet, error) {
	k, err := s.collection(ctx, who, access.Write, id)
	if err != nil {
		return nil, err
	}
	e, err := s.cfg.Store.Entry(ctx, id, fileID)
	if err != nil {
		return nil, err
	}
	if err := s.leave(ctx, who, id, []*Entry{e}, discard && !s.cfg.Retain()); err != nil {
		return nil, err
	}
	return s.sheet(ctx, who, k)
}

// leave unlinks files at once and then discards those that are to go.
func (s *Service) leave(ctx context.Context, who *access.Principal, id string, entries []*Entry, discard bool) error {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.File.ID
	}
	var theirs []string
	for _, e := range entries {
		if s.seesAll(who) || e.File.UserID == who.UserID {
			theirs = append(theirs, e.File.ID)
		}
	}
	if err := s.cfg.Store.UnlinkFiles(ctx, id, ids); err != nil || !discard {
		return err
	}
	return s.discard(ctx, who, id, theirs)
}

// drop discards replaced files of the caller's own; those of others only leave.
func (s *Service) drop(ctx context.Context, who *access.Principal, id string, replaced []string) error {
	if len(replaced) == 0 || s.cfg.Retain() {
		return nil
	}
	var own []string
	for _, fileID := range replaced {
		f, err := s.cfg.Files.Load(ctx, who, access.Write, fileID)
		if err == nil && f.UserID == who.UserID {
			own = append(own, fileID)
		} else if err != nil && !errdefs.Is(err, errdefs.NotFound) {
			return err
		}
	}
	return s.discard(ctx, who, id, own)
}

// discard deletes files that no other collection has. Whether they are the
// caller's to delete is judged by the room of files; those that are not stay.
func (s *Service) discard(ctx context.Context, who *access.Principal, id string, fileIDs []string) error {
	if len(fileIDs) == 0 {
		return nil
	}
	kept, err := s.cfg.Store.Elsewhere(ctx, id, fileIDs)
	if err != nil {
		return err
	}
	for _, f := range fileIDs {
		if slices.Contains(kept, f) {
			continue
		}
		if err := s.cfg.Files.Delete(ctx, who, f); err != nil && !errdefs.Is(err, errdefs.NotFound) {
			return err
		}
	}
	return nil
}

// UpdateFile makes sure that a file of a collection is searched as it is now.
func (s *Service) UpdateFile(ctx context.Context, who *access.Principal, id, fileID string) (*Sheet, error) {
	k, err := s.collection(ctx, who, access.Write, id)
	if err != nil {
		return nil, err
	}
	e, err := s.cfg.Store.Entry(ctx, id, fileID)
	if err != nil {
		return nil, err
	}
	patience, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	if _, err := s.whenRead(patience, e.File); err != nil {
		return nil, err
	}
	if err := s.ready(patience, fileID, k); err != nil {
		return nil, err
	}
	return s.sheet(ctx, who, k)
}

// Entries gives a page of the files of a collection.
func (s *Service) Entries(ctx context.Context, who *access.Principal, id string, f FileFilter) ([]*Entry, int, error) {
	if _, err := s.collection(ctx, who, access.Read, id); err != nil {
		return nil, 0, err
	}
	return s.cfg.Store.Entries(ctx, id, f)
}

// Newest gives the files that were put into a collection last, for a caller
// who has been let in.
func (s *Service) Newest(ctx context.Context, id string, limit int) ([]*Entry, int, error) {
	return s.cfg.Store.Entries(ctx, id, FileFilter{OrderBy: "created_at", Limit: limit})
}

// entries gives all files of a collection.
func (s *Service) entries(ctx context.Context, id string) ([]*Entry, error) {
	page, _, err := s.cfg.Store.Entries(ctx, id, FileFilter{Limit: maxManifest})
	return page, err
}

// FindFiles gives a page of the files of all collections that the caller may
// read.
func (s *Service) FindFiles(ctx context.Context, who *access.Principal, f FileFilter) ([]*Entry, int, error) {
	return s.cfg.Store.FindEntries(ctx, Filter{Who: who, All: s.seesAll(who)}, f)
}

// Unfinished gives the files in work of a collection: those that are in it,
// and uploads of the caller's own that are to be put into it.
func (s *Service) Unfinished(ctx context.Context, who *access.Principal, id string) ([]*file.File, error) {
	if _, err := s.collection(ctx, who, access.Read, id); err != nil {
		return nil, err
	}
	return s.cfg.Store.Unfinished(ctx, id, who.UserID)
}

// checkPath refuses what is no path within a folder.
func checkPath(p string) error {
	const most, maxFileName = 4096, 255
	if p == "" || len(p) > most || !utf8.ValidString(p) || path.Clean(p) != p || path.IsAbs(p) || p == "." || p == ".." ||
		strings.HasPrefix(p, "../") || strings.Contains(p, "\\") || strings.ContainsFunc(p, unicode.IsControl) || len(path.Base(p)) > maxFileName {
		return errdefs.Newf(errdefs.Invalid, "A path is relative, with / between names, without . and .. and control characters, and has at most %d bytes, its last name at most %d.", most, maxFileName)
	}
	return nil
}

// noDirectory is 404 on a route whose other failures are 400.
func noDirectory() error {
	return errdefs.New(errdefs.NotFound, "Target directory not found.").WithStatus(http.StatusNotFound)
}

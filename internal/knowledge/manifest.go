package knowledge

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/file"
)

// maxManifest is how many files one folder in sync may have.
const maxManifest = 100_000

// Listing is one file of a folder that is to be kept in sync.
type Listing struct {
	Path string `json:"path" require:"true"` // within the folder, with /
	Hash string `json:"hash" require:"true"` // SHA-256 of its bytes, hex
	Size int64  `json:"size,omitempty"`
}

// Placed is a file of the collection at a path.
type Placed struct {
	Path   string `json:"path"`
	FileID string `json:"file_id"`
	From   string `json:"from,omitempty"`  // where it was
	Error  string `json:"error,omitempty"` // why it could not be read
}

// Plan says, for each file of a folder, what the collection has of it. Every
// path of the manifest is in exactly one list but Removed.
type Plan struct {
	Missing []Listing `json:"missing"` // to be uploaded, with their path in the metadata
	Present []Placed  `json:"present"`
	Moved   []Placed  `json:"moved"`   // there under another path, or uploaded and not yet in
	Pending []Placed  `json:"pending"` // uploaded and being read
	Failed  []Placed  `json:"failed"`  // uploaded, and could not be read
	Same    []Placed  `json:"same"`    // the same bytes as another path, which stands for it
	Removed []Placed  `json:"removed"` // in the collection under a path that the folder has no more
	Applied bool      `json:"applied"` // Moved was done
	Deleted bool      `json:"deleted"` // Removed was done
}

// Manifest compares a folder with a collection. With apply it gives the files
// that are there already their new paths, with remove it also takes out what
// the folder has no more, both in one transaction; files that were put in by
// hand, without a path, are left alone. Doing it again changes nothing.
func (s *Service) Manifest(ctx context.Context, who *access.Principal, id string, list []Listing, apply, remove bool) (*Plan, error) {
	k, err := s.collection(ctx, who, access.Write, id)
	if err != nil {
		return nil, err
	}
	if err := checkManifest(list); err != nil {
		return nil, err
	}
	entries, err := s.entries(ctx, id)
	if err != nil {
		return nil, err
	}
	m := match(list, entries)
	if err := s.uploaded(ctx, who, k, m); err != nil {
		return nil, err
	}
	if !apply && !remove {
		return m.plan, nil
	}
	return m.plan, s.apply(ctx, who, k, m, remove)
}

func checkManifest(list []Listing) error {
	if len(list) > maxManifest {
		return errdefs.Newf(errdefs.Invalid, "A manifest lists at most %d files. Split the folder into several collections.", maxManifest)
	}
	seen := make(map[string]bool, len(list))
	for i := range list {
		l := &list[i]
		l.Hash = strings.ToLower(l.Hash)
		if err := checkPath(l.Path); err != nil {
			return err
		}
		if raw, err := hex.DecodeString(l.Hash); err != nil || len(raw) != 32 {
			return errdefs.New(errdefs.Invalid, "The hash of each file is its SHA-256, as 64 hexadecimal digits.")
		}
		if seen[l.Path] {
			return errdefs.New(errdefs.Invalid, "A path is twice in the manifest.")
		}
		seen[l.Path] = true
	}
	return nil
}

// matching is a folder laid over a collection.
type matching struct {
	plan    *Plan
	link    []*Entry // with their new paths
	removed []*Entry
}

// match finds, for each file of the folder, the one of the collection with the
// same bytes: first at its own path, then at any other that is free.
func match(list []Listing, entries []*Entry) *matching {
	m := &matching{plan: &Plan{Missing: []Listing{}, Present: []Placed{}, Moved: []Placed{}, Pending: []Placed{}, Failed: []Placed{}, Same: []Placed{}, Removed: []Placed{}}}
	byPath, byHash := map[string]*Entry{}, map[string][]*Entry{}
	for _, e := range entries {
		if e.Path != "" {
			byPath[e.Path] = e
		}
		byHash[e.File.Blob] = append(byHash[e.File.Blob], e)
	}
	used, stands := map[*Entry]bool{}, map[string]string{} // hash to the path that stands for it
	paths := make(map[string]bool, len(list))
	var rest []Listing
	for _, l := range list {
		paths[l.Path] = true
		if e := byPath[l.Path]; e != nil && e.File.Blob == l.Hash {
			used[e], stands[l.Hash] = true, l.Path
			m.plan.Present = append(m.plan.Present, Placed{Path: l.Path, FileID: e.File.ID})
			continue
		}
		rest = append(rest, l)
	}
	for _, l := range rest {
		if e := free(byHash[l.Hash], used); e != nil {
			used[e], stands[l.Hash] = true, l.Path
			m.move(e, l.Path)
		} else if as, ok := stands[l.Hash]; ok {
			m.plan.Same = append(m.plan.Same, Placed{Path: l.Path, From: as})
		} else {
			stands[l.Hash] = l.Path
			m.plan.Missing = append(m.plan.Missing, l)
		}
	}
	for _, e := range entries {
		if e.Path != "" && !used[e] && !paths[e.Path] {
			m.removed = append(m.removed, e)
			m.plan.Removed = append(m.plan.Removed, Placed{Path: e.Path, FileID: e.File.ID})
		}
	}
	return m
}

func free(entries []*Entry, used map[*Entry]bool) *Entry {
	for _, e := range entries {
		if !used[e] {
			return e
		}
	}
	return nil
}

func (m *matching) move(e *Entry, to string) {
	m.plan.Moved = append(m.plan.Moved, Placed{Path: to, FileID: e.File.ID, From: e.Path})
	moved := *e
	moved.Path, moved.Twice = to, true
	m.link = append(m.link, &moved)
}

// target is what an upload says, in its metadata, about where it belongs.
type target struct {
	KnowledgeID string `json:"knowledge_id"`
	Path        string `json:"path"`
}

// targetOf reads it; false when the upload names no collection.
func targetOf(f *file.File) (t target, ok bool) {
	if len(f.Metadata) == 0 || json.Unmarshal(f.Metadata, &t) != nil {
		return target{}, false
	}
	return t, t.KnowledgeID != ""
}

// uploaded finds what is missing among the caller's own uploads for this very
// path: those that were read and never got in are to be linked, those in work
// and those that failed are told, so that nobody uploads them again and again.
func (s *Service) uploaded(ctx context.Context, who *access.Principal, k *Knowledge, m *matching) error {
	if len(m.plan.Missing) == 0 {
		return nil
	}
	hashes := make([]string, len(m.plan.Missing))
	for i, l := range m.plan.Missing {
		hashes[i] = l.Hash
	}
	own, err := s.cfg.Store.OwnFiles(ctx, who.UserID, hashes)
	if err != nil {
		return err
	}
	best := map[Listing]*file.File{}
	for _, f := range own {
		t, ok := targetOf(f)
		key := Listing{Path: t.Path, Hash: f.Blob}
		if ok && t.KnowledgeID == k.ID && f.Status != file.Stored && (best[key] == nil || rank(f) > rank(best[key])) {
			best[key] = f
		}
	}
	missing := m.plan.Missing
	m.plan.Missing = []Listing{}
	for _, l := range missing {
		f := best[Listing{Path: l.Path, Hash: l.Hash}]
		switch {
		case f == nil:
			m.plan.Missing = append(m.plan.Missing, l)
		case f.Status == file.Failed || f.Status == file.Completed && f.TextHash == "":
			m.plan.Failed = append(m.plan.Failed, Placed{Path: l.Path, FileID: f.ID, Error: f.Error})
		case f.Status == file.Completed:
			now := s.now()
			m.move(&Entry{File: f, KnowledgeID: k.ID, UserID: who.UserID, CreatedAt: now, UpdatedAt: now}, l.Path)
		default:
			m.plan.Pending = append(m.plan.Pending, Placed{Path: l.Path, FileID: f.ID})
		}
	}
	return nil
}

func rank(f *file.File) int {
	switch f.Status {
	case file.Completed:
		return 2
	case file.Failed:
		return 0
	}
	return 1
}

// settle puts what could not be moved after all among what failed.
func (p *Plan) settle() {
	p.Moved = slices.DeleteFunc(p.Moved, func(m Placed) bool {
		if m.Error != "" {
			p.Failed = append(p.Failed, m)
		}
		return m.Error != ""
	})
}

// apply does what the plan says can be done without an upload.
func (s *Service) apply(ctx context.Context, who *access.Principal, k *Knowledge, m *matching, remove bool) error {
	var c Change
	now := s.now()
	patience, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	for i, e := range m.link {
		if err := s.ready(patience, e.File.ID, k); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			m.plan.Moved[i].Error = errdefs.From(err).Detail
			continue
		}
		c.Link = append(c.Link, e)
		e.UpdatedAt = now
		// The name is what citations say, so it follows the path, but only
		// within what is the caller's own.
		if name := path.Base(e.Path); e.File.Filename != name && e.File.UserID == who.UserID {
			renamed := *e.File
			renamed.Filename = name
			e.File = &renamed
		}
	}
	if remove {
		for _, e := range m.removed {
			c.Unlink = append(c.Unlink, e.File.ID)
		}
	}
	if len(c.Link)+len(c.Unlink) > 0 {
		if err := s.cfg.Store.Apply(ctx, k.ID, c); err != nil {
			return err
		}
	}
	m.plan.settle()
	m.plan.Applied, m.plan.Deleted = true, remove
	return s.drop(ctx, who, k.ID, c.Unlink)
}

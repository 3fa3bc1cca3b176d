package knowledge

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"portico/internal/access"
	"portico/internal/errdefs"
)

// maxDepth is how deep directories may be within each other.
const maxDepth = 64

// Tree is the directories of one collection.
type Tree struct {
	byID     map[string]*Directory
	children map[string][]*Directory // by the id of the parent, by name
}

// Directories gives the directories of a collection to whoever may read it.
func (s *Service) Directories(ctx context.Context, who *access.Principal, id string) (*Tree, error) {
	if _, err := s.collection(ctx, who, access.Read, id); err != nil {
		return nil, err
	}
	return s.tree(ctx, id)
}

func (s *Service) tree(ctx context.Context, id string) (*Tree, error) {
	all, err := s.cfg.Store.Directories(ctx, id)
	if err != nil {
		return nil, err
	}
	t := &Tree{byID: make(map[string]*Directory, len(all)), children: make(map[string][]*Directory)}
	for _, d := range all {
		t.byID[d.ID] = d
		t.children[d.ParentID] = append(t.children[d.ParentID], d)
	}
	return t, nil
}

// In gives the directories within one, "" for the top.
func (t *Tree) In(id string) []*Directory { return t.children[id] }

// Has reports whether a directory is there.
func (t *Tree) Has(id string) bool { return t.byID[id] != nil }

// Trail gives a directory and those around it, from the top; nil for the top.
func (t *Tree) Trail(id string) []*Directory {
	var trail []*Directory
	for d := t.byID[id]; d != nil && len(trail) <= maxDepth; d = t.byID[d.ParentID] {
		trail = append(trail, d)
	}
	slices.Reverse(trail)
	return trail
}

// Path names a directory from the top, with / between names; "" for the top.
func (t *Tree) Path(id string) string {
	text := ""
	for i, d := range t.Trail(id) {
		if i > 0 {
			text += "/"
		}
		text += d.Name
	}
	return text
}

// Of names where a file of the collection is: its directory, or the folder of
// its path where it is kept in sync by that.
func (t *Tree) Of(e *Entry) string {
	if e.DirectoryID == "" && e.Path != "" {
		return strings.TrimPrefix(path.Dir(e.Path), ".")
	}
	return t.Path(e.DirectoryID)
}

// height is how many levels there are at a directory and below it.
func (t *Tree) height(id string, left int) int {
	most := 0
	if left > 0 {
		for _, d := range t.children[id] {
			most = max(most, t.height(d.ID, left-1))
		}
	}
	return most + 1
}

// directory finds a directory that is of this very collection.
func (s *Service) directory(ctx context.Context, knowledgeID, id string) (*Directory, *Tree, error) {
	t, err := s.tree(ctx, knowledgeID)
	if err != nil {
		return nil, nil, err
	}
	d := t.byID[id]
	if d == nil {
		return nil, nil, noDirectory()
	}
	return d, t, nil
}

// CreateDirectory makes a directory below another, or at the top. One of that
// name that is there already is given instead.
func (s *Service) CreateDirectory(ctx context.Context, who *access.Principal, id, name, parentID string) (*Directory, error) {
	if _, err := s.collection(ctx, who, access.Write, id); err != nil {
		return nil, err
	}
	if err := checkDirectoryName(name); err != nil {
		return nil, err
	}
	t, err := s.tree(ctx, id)
	if err != nil {
		return nil, err
	}
	if parentID != "" && !t.Has(parentID) {
		return nil, noDirectory()
	}
	if len(t.Trail(parentID)) >= maxDepth {
		return nil, tooDeep()
	}
	for _, d := range t.In(parentID) {
		if d.Name == name {
			return d, nil
		}
	}
	now := s.now()
	d := &Directory{ID: s.cfg.NewID(), KnowledgeID: id, ParentID: parentID, UserID: who.UserID, Name: name, CreatedAt: now, UpdatedAt: now}
	return d, s.cfg.Store.CreateDirectory(ctx, d)
}

// DirectoryChange is what is to change; nil fields stay.
type DirectoryChange struct {
	Name   *string
	Parent *string // "" is the top
	Meta   json.RawMessage
}

// UpdateDirectory renames or moves a directory.
func (s *Service) UpdateDirectory(ctx context.Context, who *access.Principal, id, directoryID string, c DirectoryChange) (*Directory, error) {
	if _, err := s.collection(ctx, who, access.Write, id); err != nil {
		return nil, err
	}
	d, t, err := s.directory(ctx, id, directoryID)
	if err != nil {
		return nil, err
	}
	if c.Name != nil {
		if err := checkDirectoryName(*c.Name); err != nil {
			return nil, err
		}
		d.Name = *c.Name
	}
	if c.Parent != nil {
		if *c.Parent != "" && !t.Has(*c.Parent) {
			return nil, noDirectory()
		}
		trail := t.Trail(*c.Parent)
		if slices.ContainsFunc(trail, func(up *Directory) bool { return up.ID == d.ID }) {
			return nil, errdefs.New(errdefs.Invalid, "A directory cannot be moved into itself or below itself.")
		}
		if len(trail)+t.height(d.ID, maxDepth) > maxDepth {
			return nil, tooDeep()
		}
		d.ParentID = *c.Parent
	}
	if c.Meta != nil {
		d.Meta = c.Meta
	}
	d.UpdatedAt = s.now()
	return d, s.cfg.Store.UpdateDirectory(ctx, d)
}

// DeleteDirectory removes a directory and those below it. Files in them move
// to the top.
func (s *Service) DeleteDirectory(ctx context.Context, who *access.Principal, id, directoryID string) error {
	if _, err := s.collection(ctx, who, access.Write, id); err != nil {
		return err
	}
	if _, _, err := s.directory(ctx, id, directoryID); err != nil {
		return err
	}
	return s.cfg.Store.DeleteDirectories(ctx, id, []string{directoryID})
}

// MoveFile puts a file of a collection into another of its directories, "" for
// the top.
func (s *Service) MoveFile(ctx context.Context, who *access.Principal, id, fileID, directoryID string) error {
	if _, err := s.collection(ctx, who, access.Write, id); err != nil {
		return err
	}
	if directoryID != "" {
		if _, _, err := s.directory(ctx, id, directoryID); err != nil {
			return err
		}
	}
	return s.cfg.Store.MoveFile(ctx, id, fileID, directoryID, s.now())
}

func checkDirectoryName(name string) error {
	if err := checkName("directory", name); err != nil {
		return err
	}
	if checkPath(name) != nil || slices.Contains([]byte(name), '/') {
		return errdefs.New(errdefs.Invalid, "The name of a directory has no / or \\ and is not . or ..")
	}
	return nil
}

func tooDeep() error {
	return errdefs.Newf(errdefs.Invalid, "Directories can be %d deep within each other.", maxDepth)
}

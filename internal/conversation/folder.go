package conversation

import (
	"context"
	"encoding/json"
	"strings"

	"portico/internal/access"
	"portico/internal/errdefs"
)

const (
	maxDepth   = 64 // of folders within each other
	maxFolders = 10_000
)

// Folder is a place for chats. It belongs to one person.
type Folder struct {
	ID, UserID, Name string
	ParentID         string // "" is the top
	Expanded         bool
	Meta, Data       json.RawMessage // JSON objects, or empty
	CreatedAt        int64
	UpdatedAt        int64
}

// FolderStore keeps folders.
type FolderStore interface {
	// FoldersOf gives the folders of a person, oldest first.
	FoldersOf(ctx context.Context, userID string) ([]*Folder, error)
	// ChangeFolders lets change see all folders of a person, alone, and keeps
	// the one that it gives.
	ChangeFolders(ctx context.Context, userID string, change func(all []*Folder) (*Folder, error)) (*Folder, error)
	// DeleteFolders removes folders of a person; the chats in them go along, or
	// leave the folder.
	DeleteFolders(ctx context.Context, userID string, ids []string, withChats bool) error
}

func noFolder() error {
	return errdefs.New(errdefs.NotFound, "There is no such folder, or it is not yours.")
}

// Folders lists the caller's.
func (s *Service) Folders(ctx context.Context, who *access.Principal) ([]*Folder, error) {
	return s.cfg.Store.FoldersOf(ctx, who.UserID)
}

// Folder gives one of the caller's.
func (s *Service) Folder(ctx context.Context, who *access.Principal, id string) (*Folder, error) {
	all, err := s.Folders(ctx, who)
	if err != nil {
		return nil, err
	}
	return pick(all, id)
}

func pick(all []*Folder, id string) (*Folder, error) {
	for _, f := range all {
		if f.ID == id {
			return f, nil
		}
	}
	return nil, noFolder()
}

// FolderChange is what is to change; nil fields stay.
type FolderChange struct {
	Name       *string
	ParentID   *string // "" is the top
	Expanded   *bool
	Meta, Data json.RawMessage // members are laid over those that are kept
}

// CreateFolder makes a folder.
func (s *Service) CreateFolder(ctx context.Context, who *access.Principal, ch FolderChange) (*Folder, error) {
	return s.cfg.Store.ChangeFolders(ctx, who.UserID, func(all []*Folder) (*Folder, error) {
		if len(all) >= maxFolders {
			return nil, errdefs.Newf(errdefs.Invalid, "You have %d folders already; that is the most.", maxFolders)
		}
		now := s.now()
		f := &Folder{ID: s.cfg.NewID(), UserID: who.UserID, CreatedAt: now}
		if ch.ParentID == nil {
			ch.ParentID = ptr("")
		}
		return f, f.change(all, ch, now)
	})
}

// UpdateFolder renames or moves a folder, or what is kept with it.
func (s *Service) UpdateFolder(ctx context.Context, who *access.Principal, id string, ch FolderChange) (*Folder, error) {
	return s.cfg.Store.ChangeFolders(ctx, who.UserID, func(all []*Folder) (*Folder, error) {
		f, err := pick(all, id)
		if err != nil {
			return nil, err
		}
		return f, f.change(all, ch, s.now())
	})
}

// change is the rules. all holds f where it exists already.
func (f *Folder) change(all []*Folder, ch FolderChange, now int64) (err error) {
	if ch.Name != nil {
		f.Name = strings.TrimSpace(*ch.Name)
	}
	if f.Name == "" || len(f.Name) > maxName {
		return errdefs.Newf(errdefs.Invalid, "A folder has a name of up to %d bytes.", maxName)
	}
	if ch.ParentID != nil {
		if err := f.moveTo(all, *ch.ParentID); err != nil {
			return err
		}
	}
	for _, o := range all {
		if o.ID != f.ID && o.ParentID == f.ParentID && strings.EqualFold(o.Name, f.Name) {
			return errdefs.New(errdefs.Invalid, "There is a folder of this name already.")
		}
	}
	if ch.Expanded != nil {
		f.Expanded = *ch.Expanded
	}
	if f.Meta, err = over(f.Meta, ch.Meta); err != nil {
		return err
	}
	if f.Data, err = over(f.Data, ch.Data); err != nil {
		return err
	}
	if len(f.Meta)+len(f.Data) > 1<<20 {
		return errdefs.New(errdefs.TooLarge, "More than 1 MiB cannot be kept with a folder.")
	}
	f.UpdatedAt = now
	return nil
}

// moveTo refuses parents that are not theirs, within the folder itself, or so
// deep that it would not fit there.
func (f *Folder) moveTo(all []*Folder, parent string) error {
	byID := make(map[string]*Folder, len(all))
	children := make(map[string][]*Folder)
	for _, o := range all {
		byID[o.ID] = o
		children[o.ParentID] = append(children[o.ParentID], o)
	}
	if parent != "" && byID[parent] == nil {
		return noFolder()
	}
	depth := 0
	for up := byID[parent]; up != nil && depth <= maxDepth; up = byID[up.ParentID] {
		if up.ID == f.ID {
			return errdefs.New(errdefs.Invalid, "A folder cannot be moved into itself or below itself.")
		}
		depth++
	}
	if depth+height(children, f.ID, maxDepth) > maxDepth {
		return errdefs.Newf(errdefs.Invalid, "Folders can be %d deep within each other.", maxDepth)
	}
	f.ParentID = parent
	return nil
}

// height is how many levels there are at a folder and below it.
func height(children map[string][]*Folder, id string, left int) int {
	most := 0
	if left > 0 {
		for _, c := range children[id] {
			most = max(most, height(children, c.ID, left-1))
		}
	}
	return most + 1
}

// DeleteFolder removes a folder and those below it. Their chats go along, or
// stay outside of folders.
func (s *Service) DeleteFolder(ctx context.Context, who *access.Principal, id string, withChats bool) error {
	going, err := s.Below(ctx, who, id)
	if err != nil {
		return err
	}
	return s.cfg.Store.DeleteFolders(ctx, who.UserID, going, withChats)
}

// Below gives the ids of a folder and of those below it.
func (s *Service) Below(ctx context.Context, who *access.Principal, id string) ([]string, error) {
	all, err := s.Folders(ctx, who)
	if err != nil {
		return nil, err
	}
	if _, err := pick(all, id); err != nil {
		return nil, err
	}
	ids, seen := []string{id}, map[string]bool{id: true}
	for i := 0; i < len(ids); i++ {
		for _, f := range all {
			if f.ParentID == ids[i] && !seen[f.ID] {
				seen[f.ID] = true
				ids = append(ids, f.ID)
			}
		}
	}
	return ids, nil
}

package knowledge

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/file"
)

// DiffEntry is one file of a folder, as clients that sync by directories name
// it: Path is its directory.
type DiffEntry struct {
	Path     string `json:"path"`
	Filename string `json:"filename" require:"true"`
	Checksum string `json:"checksum"`
	Size     int64  `json:"size"`
}

// Stale is a file that is there and should not be, or not as it is.
type Stale struct {
	Path        string `json:"path"`
	Filename    string `json:"filename"`
	FileID      string `json:"file_id,omitempty"`
	StaleFileID string `json:"stale_file_id,omitempty"`
}

// Diff is what a client has to do: clean up, make directories, upload.
type Diff struct {
	Added      []DiffEntry       `json:"added"`
	Modified   []Stale           `json:"modified"`
	Deleted    []Stale           `json:"deleted"`
	Unmodified int               `json:"unmodified_count"`
	Mkdir      []string          `json:"mkdir"` // paths, parents first
	Rmdir      []string          `json:"rmdir"` // ids
	Map        map[string]string `json:"directory_map"`
}

// Diff compares the directories and names of a collection with a folder.
func (s *Service) Diff(ctx context.Context, who *access.Principal, id string, manifest []DiffEntry) (*Diff, error) {
	if _, err := s.collection(ctx, who, access.Write, id); err != nil {
		return nil, err
	}
	if len(manifest) > maxManifest {
		return nil, errdefs.Newf(errdefs.Invalid, "A manifest lists at most %d files.", maxManifest)
	}
	for _, m := range manifest {
		if checkPath(path.Join(m.Path, m.Filename)) != nil || strings.Contains(m.Filename, "/") {
			return nil, errdefs.New(errdefs.Invalid, "Each file of a manifest has a filename and the path of its directory, relative, with / between names.")
		}
	}
	entries, err := s.entries(ctx, id)
	if err != nil {
		return nil, err
	}
	tree, err := s.tree(ctx, id)
	if err != nil {
		return nil, err
	}
	return diff(manifest, entries, tree), nil
}

func diff(manifest []DiffEntry, entries []*Entry, tree *Tree) *Diff {
	d := &Diff{Added: []DiffEntry{}, Modified: []Stale{}, Deleted: []Stale{}, Mkdir: []string{}, Rmdir: []string{}, Map: map[string]string{}}
	type place struct{ path, name string }
	have := make(map[place]*Entry, len(entries))
	for _, e := range entries {
		have[place{tree.Of(e), e.File.Filename}] = e
	}
	for id := range tree.byID {
		d.Map[tree.Path(id)] = id
	}
	wanted := map[string]bool{}
	for _, m := range manifest {
		for p := m.Path; p != "" && p != "." && !wanted[p]; p = path.Dir(p) {
			wanted[p] = true
			if d.Map[p] == "" {
				d.Mkdir = append(d.Mkdir, p)
			}
		}
		at := place{m.Path, m.Filename}
		e := have[at]
		delete(have, at)
		switch {
		case e == nil:
			d.Added = append(d.Added, m)
		case e.File.Blob == strings.ToLower(m.Checksum) || declared(e.File) == m.Checksum:
			d.Unmodified++
		default:
			d.Modified = append(d.Modified, Stale{Path: m.Path, Filename: m.Filename, StaleFileID: e.File.ID})
		}
	}
	for at, e := range have {
		d.Deleted = append(d.Deleted, Stale{Path: at.path, Filename: at.name, FileID: e.File.ID})
	}
	for p, id := range d.Map {
		if !wanted[p] {
			d.Rmdir = append(d.Rmdir, id)
		}
	}
	slices.Sort(d.Mkdir) // a parent sorts before what is in it
	slices.Sort(d.Rmdir)
	slices.SortFunc(d.Deleted, func(a, b Stale) int { return strings.Compare(a.Path+"/"+a.Filename, b.Path+"/"+b.Filename) })
	return d
}

// declared is the hash that the uploader gave, which may be of another kind.
func declared(f *file.File) string {
	var m struct {
		Hash string `json:"file_hash"`
	}
	if len(f.Metadata) == 0 || json.Unmarshal(f.Metadata, &m) != nil {
		return ""
	}
	return m.Hash
}

// Cleanup takes files and directories out of a collection, those that are in
// it, and discards the files as RemoveFile does.
func (s *Service) Cleanup(ctx context.Context, who *access.Principal, id string, fileIDs, directoryIDs []string) (files, directories int, err error) {
	if _, err := s.collection(ctx, who, access.Write, id); err != nil {
		return 0, 0, err
	}
	all, err := s.entries(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	asked := make(map[string]bool, len(fileIDs))
	for _, f := range fileIDs {
		asked[f] = true
	}
	going := all[:0]
	for _, e := range all {
		if asked[e.File.ID] {
			going = append(going, e)
		}
	}
	if err := s.leave(ctx, who, id, going, !s.cfg.Retain()); err != nil {
		return 0, 0, err
	}
	tree, err := s.tree(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	gone := slices.DeleteFunc(slices.Clone(directoryIDs), func(d string) bool { return !tree.Has(d) })
	return len(going), len(gone), s.cfg.Store.DeleteDirectories(ctx, id, gone)
}

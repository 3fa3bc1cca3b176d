// Package knowledge holds collections of files: what is in them, who may read
// and write them, and how they want to be cut and searched. Cutting and
// searching is retrieval's work. No SQL and no HTTP here.
package knowledge

import (
	"context"
	"encoding/json"

	"portico/internal/access"
	"portico/internal/file"
)

// The kinds. Only collections are listed; texts are what the retrieval routes
// make, found by their owner and name.
const (
	Collection = "collection"
	Text       = "text"
)

// Knowledge is one collection. Times are seconds since 1970.
type Knowledge struct {
	ID          string
	UserID      string
	Kind        string
	Name        string
	Description string
	Meta        json.RawMessage
	Settings    Settings
	// Profile is what searches use, "" while that is the instance's; Next is
	// being built beside it, or "".
	Profile, Next        string
	CreatedAt, UpdatedAt int64
}

// Settings override the instance's for one collection; zero fields do not.
type Settings struct {
	Splitter  string   `json:"text_splitter,omitempty"` // "character", "token", "token_transformers"
	ChunkSize int      `json:"chunk_size,omitempty"`    // characters, or tokens where the splitter counts those
	Overlap   *int     `json:"chunk_overlap,omitempty"`
	MinSize   *int     `json:"chunk_min_size_target,omitempty"`
	Headings  *bool    `json:"markdown_headers,omitempty"` // cut at headings first
	Engine    string   `json:"embedding_engine,omitempty"` // "local", "ollama", "openai"
	Model     string   `json:"embedding_model,omitempty"`
	TopK      int      `json:"top_k,omitempty"`
	Hybrid    *bool    `json:"hybrid,omitempty"`
	Weight    *float64 `json:"hybrid_bm25_weight,omitempty"` // of the lexical side, 0…1
	Threshold *float64 `json:"relevance_threshold,omitempty"`
	Full      *bool    `json:"full_context,omitempty"` // give whole files, search nothing
}

// Directory is a folder inside a collection.
type Directory struct {
	ID, KnowledgeID      string
	ParentID             string // "" is the top
	UserID, Name         string
	Meta                 json.RawMessage
	CreatedAt, UpdatedAt int64
}

// Entry is a file in a collection.
type Entry struct {
	File                 *file.File
	KnowledgeID          string
	DirectoryID          string
	UserID               string // who put it there
	Path                 string // in a folder that is kept in sync
	CreatedAt, UpdatedAt int64
	// Twice lets LinkFile put in a text that is there already: in a folder that
	// is kept in sync, two files may say the same.
	Twice bool
}

// Filter selects collections. Readers are matched in the query: who sees only
// some gets only those.
type Filter struct {
	Who           *access.Principal // whose Mine and Shared are
	All           bool              // Who sees all
	Query         string            // part of name or description
	Mine, Shared  bool              // only the caller's own, only others'
	OrderBy       string            // "name", "created_at", "updated_at" (default)
	Ascending     bool
	Offset, Limit int
}

// Listed is a collection in a list.
type Listed struct {
	*Knowledge
	Files  int // how many are in it
	Grants []access.Grant
}

// FileFilter selects the files of a collection.
type FileFilter struct {
	Query         string  // part of the name
	DirectoryID   *string // nil is any, "" is the top
	Mine, Shared  string  // only files of this person, only of others
	OrderBy       string  // "name", "created_at", "updated_at" (default)
	Ascending     bool
	Offset, Limit int
}

// Indexer makes a collection's files searchable; retrieval is one.
type Indexer interface {
	// Ready waits, not longer than ctx, until the file is cut (and embedded)
	// under the profile that the collection searches with. It fails with the
	// reason for the user when it cannot be: empty, unreadable, still in work.
	Ready(ctx context.Context, fileID string, k *Knowledge) error
	// Reprofile begins to build what changed settings ask for, beside what is
	// searched now, and switches when it is whole.
	Reprofile(ctx context.Context, k *Knowledge) error
}

// Progress is how much of what a collection is to be searched by is there.
type Progress struct {
	Done, Total int // files
}

// Change is what a folder's list of files does to a collection: all of it or
// nothing.
type Change struct {
	// Link puts files in or, where they are in, gives them their path. A File
	// whose Filename changed is renamed.
	Link   []*Entry
	Unlink []string // ids of files
}

// Store keeps collections. Absent ids give errdefs.NotFound. Every write emits
// an event of topic "knowledge" with the collection's id in its transaction.
type Store interface {
	CreateKnowledge(ctx context.Context, k *Knowledge, grants []access.Grant) error
	KnowledgeByID(ctx context.Context, id string) (*Knowledge, error)
	KnowledgeByName(ctx context.Context, userID, kind, name string) (*Knowledge, error)
	KnowledgeList(ctx context.Context, f Filter) (page []*Listed, total int, err error)
	UpdateKnowledge(ctx context.Context, k *Knowledge) error // all but id, owner, kind, profiles and created_at
	SetProfiles(ctx context.Context, id, profile, next string, now int64) error
	// IndexProgress counts the files of a collection and those that are cut, and
	// embedded where the profile asks for it.
	IndexProgress(ctx context.Context, knowledgeID, profile string) (Progress, error)
	// DeleteKnowledge removes the row, its links, directories and grants, and
	// its mention in models. The files stay.
	DeleteKnowledge(ctx context.Context, id string) error

	// LinkFile puts a file into a collection, exactly once: added is false when
	// it was there. A file whose text is there already under another id is
	// errdefs.Conflict, unless it may be there twice. With a path the file takes the place of
	// those that had the path: their ids are given, they are in it no longer.
	LinkFile(ctx context.Context, e *Entry) (added bool, replaced []string, err error)
	// UnlinkFiles takes files out, those that are in it.
	UnlinkFiles(ctx context.Context, knowledgeID string, fileIDs []string) error
	// Apply links and unlinks in one transaction.
	Apply(ctx context.Context, knowledgeID string, c Change) error
	Entry(ctx context.Context, knowledgeID, fileID string) (*Entry, error)
	Entries(ctx context.Context, knowledgeID string, f FileFilter) (page []*Entry, total int, err error)
	// FindEntries gives the files of all collections of a filter that match.
	FindEntries(ctx context.Context, in Filter, f FileFilter) (page []*Entry, total int, err error)
	// Unfinished gives the files in work that are in the collection, and those
	// of a person that ask, in their metadata, to be put into it.
	Unfinished(ctx context.Context, knowledgeID, userID string) ([]*file.File, error)
	// OwnFiles gives the uploads of a person that have one of these blobs.
	OwnFiles(ctx context.Context, userID string, blobs []string) ([]*file.File, error)
	// Elsewhere gives those of the files that other collections have, too.
	Elsewhere(ctx context.Context, knowledgeID string, fileIDs []string) ([]string, error)
	MoveFile(ctx context.Context, knowledgeID, fileID, directoryID string, now int64) error

	CreateDirectory(ctx context.Context, d *Directory) error
	Directories(ctx context.Context, knowledgeID string) ([]*Directory, error)
	UpdateDirectory(ctx context.Context, d *Directory) error
	// DeleteDirectories removes directories with those below them; files in them
	// move to the top.
	DeleteDirectories(ctx context.Context, knowledgeID string, ids []string) error
}

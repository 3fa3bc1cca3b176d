// Package file holds uploaded files: what they are, who may have them, and how
// far they are read. Reading them is retrieval's work, keeping their bytes is
// blob's. No SQL and no HTTP here.
package file

import (
	"context"
	"encoding/json"

	"portico/internal/access"
)

// Status is how far a file is read.
type Status string

// The states. Stored is a file that nobody asked to be read.
const (
	Stored     Status = ""
	Pending    Status = "pending"
	Processing Status = "processing"
	Completed  Status = "completed" // visible in text, and in vectors where there is an embedder
	Failed     Status = "failed"    // Error says why
)

// Done reports whether the state is final.
func (s Status) Done() bool { return s == Stored || s == Completed || s == Failed }

// The kinds. Only uploads are listed; the others are made by the retrieval
// routes from a text or a page.
const (
	Upload = "upload"
	Text   = "text"
	Web    = "web"
)

// File is one file. Times are seconds since 1970.
type File struct {
	ID          string
	UserID      string
	Kind        string
	Filename    string // as the client named it: a string, never a path
	ContentType string
	Size        int64  // bytes
	Blob        string // SHA-256 of the bytes, hex
	Metadata    json.RawMessage
	Status      Status
	Error       string // a sentence for the user, when failed
	// Document is the blob of what was read: a document.Document; "" until then.
	Document             string
	TextHash             string   // SHA-256 of the text in it, hex
	Warnings             []string // what could not be read of it
	CreatedAt, UpdatedAt int64
	// Target is the collection that it goes to once it is read; see Linker.
	Target Target
}

// Target is a place in a collection. The zero value is none.
type Target struct {
	KnowledgeID, DirectoryID string
}

// Linker puts a file that is read into a collection; knowledge is one. Who may
// not write there, or what is not there, is an error, as is a file that the
// collection has under another name; a file that is there already is none.
type Linker interface {
	LinkFile(ctx context.Context, who *access.Principal, fileID, knowledgeID, directoryID string) error
}

// Index is how far a file can be searched: in its text, and by meaning. Each
// is "ready", "pending", "failed" or "none" (nobody asked for it, or there is
// no embedder).
type Index struct {
	Text    string `json:"text"`
	Vectors string `json:"vectors"`
}

// Parts is what there is of the sets of one file.
type Parts struct {
	Text    bool   // some set's text is visible
	Vectors bool   // and its vectors
	Space   bool   // some set is to have vectors
	Error   string // why some set has none
}

// Filter selects files for a list.
type Filter struct {
	UserID        string // "" is everybody's
	Glob          string // of the file name, case-insensitive, with * and ?; "" is all
	Offset, Limit int
}

// Outcome is how reading a file ended, or how far it is.
type Outcome struct {
	Status   Status
	Error    string
	Document string
	TextHash string
	Warnings []string
}

// Store keeps files. Absent ids give errdefs.NotFound. Every write emits an
// event of topic "file" with the file's id in its transaction.
type Store interface {
	// CreateFile inserts f, and where job is true the work of reading it, in one
	// transaction.
	CreateFile(ctx context.Context, f *File, job bool) error
	FileByID(ctx context.Context, id string) (*File, error)
	FilesByID(ctx context.Context, ids []string) ([]*File, error) // those that exist, in the order asked
	Files(ctx context.Context, f Filter) (page []*File, total int, err error)
	// CountFiles counts the files of a person, "" for all, and their bytes.
	CountFiles(ctx context.Context, userID string) (n int, bytes int64, err error)
	RenameFile(ctx context.Context, id, filename string, now int64) error
	// SetOutcome records how far reading is. Empty fields of o but Status and
	// Error leave what was there.
	SetOutcome(ctx context.Context, id string, o Outcome, now int64) error
	// DeleteFile removes the row and, with it, its links, sets, chunks, vectors
	// and work, in one transaction. It gives the blobs that nothing refers to
	// any more: they may be removed now.
	DeleteFile(ctx context.Context, id string) (orphans []string, err error)
	// DeleteFiles does the same for all files of a filter, of every kind, some at
	// a time.
	DeleteFiles(ctx context.Context, f Filter) (n int, orphans []string, err error)
	// DeleteStray does the same for files whose owner is gone and that are in no
	// collection.
	DeleteStray(ctx context.Context) (n int, orphans []string, err error)
	// BlobUsed reports whether a file refers to the blob.
	BlobUsed(ctx context.Context, hash string) (bool, error)
	// UsedBlobs gives those of the blobs that a file refers to.
	UsedBlobs(ctx context.Context, hashes []string) (map[string]bool, error)
	// LinkedKnowledge gives the collections that a file is in, with who made
	// the link, for rights that come with a collection.
	LinkedKnowledge(ctx context.Context, fileID string) ([]Link, error)
	// PartsOf tells, by file, what there is to search; files without sets are
	// left out.
	PartsOf(ctx context.Context, fileIDs []string) (map[string]Parts, error)
	// FilesWithTarget gives those that wait to be put into a collection; DropTarget
	// makes one wait no more.
	FilesWithTarget(ctx context.Context) ([]*File, error)
	DropTarget(ctx context.Context, id string) error
	// FilesWithoutWork gives the ids of files that are to be read and that nobody
	// will; Requeue makes one pending, with the work of reading it.
	FilesWithoutWork(ctx context.Context) ([]string, error)
	Requeue(ctx context.Context, id string, now int64) error
	// BlobsInUse calls fn for each file's id, bytes and document ("" where there
	// is none), for whoever looks for what is missing.
	BlobsInUse(ctx context.Context, fn func(id, blob, document string) error) error
}

// Link says that a file is in a collection, and who put it there.
type Link struct {
	KnowledgeID    string
	KnowledgeOwner string
	UserID         string // who linked it
}

// Progress is how far reading a file is.
type Progress struct {
	Stage       string // "extract", "chunk", "embed", "index"
	Done, Total int    // pages, chunks; Total 0 is unknown
}

// Reader makes files searchable; retrieval is one.
type Reader interface {
	// Wake says that there is new work.
	Wake()
	// Wait returns the file once its status is final, or as it is when ctx ends.
	Wait(ctx context.Context, id string) (*File, error)
	// Progress tells of a file in work on this server.
	Progress(id string) (Progress, bool)
	// Text gives what was read of a file; "" when nothing was.
	Text(ctx context.Context, f *File) (string, error)
	// Replace puts a text in place of what was read, and makes it searchable
	// wherever the file is.
	Replace(ctx context.Context, f *File, text string) error
}

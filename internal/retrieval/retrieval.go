// Package retrieval makes files searchable and finds passages in them.
//
//	ingest: file → extract → chunk → embed → index
//	query:  question → scope → lexical + vector → fuse → rerank → passages
//
// A file cut and embedded under one profile is a set; a collection is searched
// by the sets of its files under its profile. Sets are rows of the database;
// the indexes are derived from them. Rights are judged here, once, when names
// of files and collections become a scope. No SQL and no HTTP here.
package retrieval

import (
	"context"

	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval/chunk"
	"portico/internal/retrieval/embed"
	"portico/internal/retrieval/index"
)

// Profile is how files are cut and embedded. ID is the hash of the rest.
type Profile struct {
	ID     string         `json:"-"`
	Chunk  chunk.Settings `json:"chunk"`
	Space  string         `json:"space"`            // of the vectors, "" for text alone
	Engine string         `json:"engine,omitempty"` // of the embedder, to find it again
	Model  string         `json:"model,omitempty"`
}

// Set is the chunks of one file under one profile. Its sequence numbers say
// when its text and its vectors became visible; 0 is not yet.
type Set struct {
	ID        int64
	FileID    string
	Profile   string
	Space     string
	Chunks    int
	TextSeq   int64
	VectorSeq int64
	Error     string
}

// Row is one chunk as it is kept.
type Row struct {
	Set         int64
	N           int
	Text        string
	Context     string
	First, Last int // characters in the file's text
	Page        string
	LastPage    string
}

// The kinds of work.
const (
	ReadFile = "file" // extract, chunk, make the text visible
	FillSet  = "set"  // embed the chunks of one profile, cutting them first if need be
)

// Job is work that survives a restart.
type Job struct {
	ID       int64
	Kind     string // ReadFile or FillSet
	FileID   string
	Profile  string // "" is the instance's
	UserID   string
	Attempts int
}

// Store keeps profiles, sets, chunks, vectors and work. Absent ids give
// errdefs.NotFound. What makes a set visible or takes it away emits an event
// of topic "set" with its id.
type Store interface {
	SaveProfile(ctx context.Context, p *Profile, now int64) error
	ProfileByID(ctx context.Context, id string) (*Profile, error)

	// InstanceID tells this database from any other; it is made on first use.
	InstanceID(ctx context.Context) (string, error)

	// ReplaceSet puts the chunks of a file under a profile in place of those
	// that were, makes their text visible and gives the new set.
	ReplaceSet(ctx context.Context, s *Set, rows []Row) error
	// AddVectors keeps the vectors of the chunks from first on, row by row; each
	// call but the last brings 1,024 chunks.
	AddVectors(ctx context.Context, set int64, first, dims int, vectors []float32) error
	// FinishVectors makes the set's vectors visible and gives their sequence.
	FinishVectors(ctx context.Context, set int64) (seq int64, err error)
	FailSet(ctx context.Context, set int64, reason string) error
	SetOf(ctx context.Context, fileID, profile string) (*Set, error)
	// Scope gives the visible sets of these files under a profile.
	ScopeOfFiles(ctx context.Context, fileIDs []string, profile string) (index.Scope, error)
	ScopeOfKnowledge(ctx context.Context, knowledgeID, profile string) (index.Scope, error)

	// TextAfter and VectorsAfter give sets in the order in which they became
	// visible, for an index that catches up.
	TextAfter(ctx context.Context, seq int64, limit int) ([]Set, error)
	VectorsAfter(ctx context.Context, seq int64, limit int) ([]Set, error)
	// Chunks gives rows of a set from number n on; Vectors likewise, with dims.
	Chunks(ctx context.Context, set int64, n, limit int) ([]Row, error)
	Vectors(ctx context.Context, set int64, dims int, fn func(first int, vectors []float32) error) error
	// ChunksAt gives the rows of hits, in their order; those that are gone are left out.
	ChunksAt(ctx context.Context, hits []index.Hit) ([]Row, error)
	// LiveSets gives those of the ids that still exist.
	LiveSets(ctx context.Context, ids []int64) (index.Scope, error)
	// FilesOfSets gives the file of each set.
	FilesOfSets(ctx context.Context, ids []int64) (map[int64]*file.File, error)
	// UnusedSets gives sets whose profile nobody searches with any more.
	UnusedSets(ctx context.Context, keep []string, limit int) ([]int64, error)
	DeleteSets(ctx context.Context, ids []int64) error

	AddJob(ctx context.Context, j *Job, now int64) error // the same work twice is one
	// ClaimJob takes the next job of a kind, fair between users, for owner until
	// lease (seconds); nil when there is none.
	ClaimJob(ctx context.Context, kind, owner string, now, lease int64) (*Job, error)
	RenewJobs(ctx context.Context, owner string, lease int64) error
	// EndJob removes a job that owner holds; errdefs.Conflict when it is no
	// longer theirs.
	EndJob(ctx context.Context, id int64, owner string) error
	// RetryJob gives it back, not to be tried before a time.
	RetryJob(ctx context.Context, id int64, owner string, notBefore int64) error
	CountJobs(ctx context.Context) (int, error)
	// ReleaseJobs takes up at once what a server left that was killed, where no
	// other server can be on the database: before any work is claimed.
	ReleaseJobs(ctx context.Context) error
	// RestartJob makes the job anew, under another id: whoever has it in hand
	// works on what is no longer so, and cannot end it.
	RestartJob(ctx context.Context, j *Job, now int64) error

	// ReadBefore gives other files with these bytes that were read, a few.
	ReadBefore(ctx context.Context, blob, except string) ([]*file.File, error)
	// SetLike gives another whole set, with vectors, of the same text under the
	// same profile; nil is none.
	SetLike(ctx context.Context, textHash, profile string, except int64) (*Set, error)
	// ReadAgain makes a file pending, with the document of o or none, and
	// restarts the job of reading it, in one transaction.
	ReadAgain(ctx context.Context, f *file.File, o file.Outcome, now int64) error
	// Stuck gives files that are pending or processing without a job: nobody
	// would ever end them.
	Stuck(ctx context.Context, limit int) ([]*file.File, error)
	// Lacking gives files that were read, have neither a whole set under a
	// profile (with vectors, where the profile has a space) nor the reason why
	// not, nor a job for it: of a collection, or all where that is "".
	Lacking(ctx context.Context, profile, knowledgeID string, vectors bool, limit int) ([]*file.File, error)
	// CountLacking counts the same files, those with a job included.
	CountLacking(ctx context.Context, profile, knowledgeID string, vectors bool) (int, error)
	// CountWorse counts files that have vectors under current and, for a fault,
	// none under next: switching would lose them.
	CountWorse(ctx context.Context, next, current string) (int, error)
	// ForgetFaults lets sets of a profile be tried again.
	ForgetFaults(ctx context.Context, profile string) error
	// ProfilesOfFile gives the profiles that its collections search with or are
	// building; not the instance's.
	ProfilesOfFile(ctx context.Context, fileID string) ([]string, error)
	// Building gives the collections that have a next profile.
	Building(ctx context.Context) ([]*knowledge.Knowledge, error)
	// ProfilesInUse gives those of all collections.
	ProfilesInUse(ctx context.Context) ([]string, error)
	// InstanceProfiles gives what searches use where a collection has no
	// profile of its own, and what is being built in its place; "" is none.
	InstanceProfiles(ctx context.Context) (current, next string, err error)
	// SetInstanceProfiles changes them. It emits an event of topic "knowledge"
	// without an id.
	SetInstanceProfiles(ctx context.Context, current, next string) error
}

// Lexical is the index of words; *lexical.Index is one.
type Lexical interface {
	// Add makes a set's chunks findable before it returns. Adding one again does
	// nothing.
	Add(ctx context.Context, set, seq int64, chunks []index.Text) error
	// Seq is the sequence number up to which everything is kept on disk.
	Seq() int64
	Search(ctx context.Context, question string, scope index.Scope, k int) ([]index.Hit, error)
	// Rarity is what a word weighs that one chunk of the scope has alone.
	Rarity(scope index.Scope) (float64, error)
}

// Vectors is the index of vectors; *vector.Index is one, PostgreSQL with
// pgvector another.
type Vectors interface {
	Add(ctx context.Context, set, seq int64, space string, dims int, vectors []float32) error
	Seq() int64
	Search(ctx context.Context, space string, question []float32, scope index.Scope, k int) ([]index.Hit, error)
}

// Embedders finds embedders; nil is none. It opens them when they are first
// asked for, and keeps them open.
type Embedders interface {
	// Current is the one of the settings.
	Current() embed.Embedder
	// Of is the one of an engine and a model, also when the settings have moved on.
	Of(engine, model string) embed.Embedder
}

package apitest

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"

	"portico/internal/access"
	"portico/internal/blob"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval"
	"portico/internal/retrieval/extract"
	"portico/internal/retrieval/lexical"
	"portico/internal/retrieval/retrievaltest"
	"portico/internal/retrieval/vector"
)

// Documents are the rooms of files: real ones, with indexes in a folder of the
// test. Files are read in this process, and embedded by an Embedder without
// weights.
type Documents struct {
	Dir       string // of blobs and indexes
	Blobs     *blob.Dir
	Embedder  *retrievaltest.Embedder
	Embedders *retrievaltest.Embedders
	Lexical   *lexical.Index
	Vectors   *vector.Index
	Files     *file.Service
	Knowledge *knowledge.Service
	Retrieval *retrieval.Service
}

// documents opens the rooms and starts their workers.
func (s *Server) documents(t testing.TB, opt Options) *Documents {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	d := &Documents{Dir: dir, Embedder: &retrievaltest.Embedder{Model: "test"}}
	d.Embedders = retrievaltest.NewEmbedders(d.Embedder)
	instance, err := s.DB.InstanceID(ctx)
	must(t, err)
	d.Blobs, err = blob.OpenDir(filepath.Join(dir, "blobs"))
	must(t, err)
	t.Cleanup(func() { _ = d.Blobs.Close() })
	d.Lexical, err = lexical.Open(filepath.Join(dir, "lexical"), instance, lexical.Options{})
	must(t, err)
	t.Cleanup(func() { _ = d.Lexical.Close() })
	d.Vectors, err = vector.Open(filepath.Join(dir, "vector"), instance, vector.Options{})
	must(t, err)
	t.Cleanup(func() { _ = d.Vectors.Close() })
	parser := extract.New(extract.Limits{}, extract.Options{})
	t.Cleanup(func() { _ = parser.Close() })
	d.Retrieval = retrieval.New(retrieval.Config{
		Store: s.DB, Files: s.DB, Knowledge: s.DB, Blobs: d.Blobs, Extract: parser, Embed: d.Embedders,
		Lexical: d.Lexical, Vectors: d.Vectors, Settings: s.Settings, Bus: s.Bus, Fetch: opt.Fetch, NewID: uuid.NewString,
	})
	d.Files = file.New(file.Config{
		Store: s.DB, Blobs: d.Blobs, Reader: d.Retrieval, Grants: s.DB, Policy: *opt.Policy, Settings: s.Settings, Bus: s.Bus,
		Person: func(ctx context.Context, id string) (*access.Principal, error) { return s.Auth.Principal(ctx, id) },
	})
	d.Knowledge = knowledge.New(knowledge.Config{
		Store: s.DB, Files: d.Files, Grants: s.DB, Policy: *opt.Policy, Indexer: d.Retrieval, Reader: d.Retrieval, NewID: uuid.NewString,
	})
	d.Files.Attach(d.Knowledge)
	d.Retrieval.Attach(d.Files, d.Knowledge)
	work, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	workers.Go(func() { d.Retrieval.Run(work) })
	workers.Go(func() { d.Files.Run(work) })
	t.Cleanup(func() {
		stop()
		workers.Wait()
	})
	return d
}

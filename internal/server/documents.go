package server

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/google/uuid"

	"portico/internal/blob"
	"portico/internal/chat"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval"
	"portico/internal/retrieval/extract"
	extractors "portico/internal/retrieval/extract/worker"
	"portico/internal/retrieval/lexical"
	"portico/internal/retrieval/vector"
	"portico/internal/setting"
)

// documents are the rooms of files and of finding things in them. They lie in
// the data folder:
//
//	blobs/          bytes and what was read in them, by their hash
//	index/lexical/  words, derived from the database
//	index/vector/   vectors, derived from the database
//	models/         weights of embedders
//	cache/extract/  what is compiled once for reading PDFs
//	tmp/            bytes on their way
//
// Nothing heavy is opened before it is needed: children, weights and compiled
// code come with the first file or question.
type documents struct {
	blobs     *blob.Dir
	extract   *extractors.Pool
	embedders *embedders
	reranker  *reranker
	reader    *reader
	lexical   *lexical.Index
	vectors   *vector.Index // nil where PostgreSQL has one
	files     *file.Service
	knowledge *knowledge.Service
	retrieval *retrieval.Service

	stop func() // ends the workers; nil until they run
	work sync.WaitGroup
}

// openDocuments makes the rooms. temp is where bytes wait.
func (s *Server) openDocuments(ctx context.Context, temp string) (err error) {
	d := &documents{stop: func() {}}
	s.documents = d
	data := func(names ...string) string { return filepath.Join(append([]string{s.cfg.DataDir}, names...)...) }
	if d.blobs, err = blob.OpenDir(data("blobs")); err != nil {
		return fmt.Errorf("the folder of files cannot be opened: %w", err)
	}
	d.blobs.Reserve(int64(s.cfg.DiskReserve) << 20)
	if err := s.claimBlobs(ctx); err != nil {
		return err
	}
	d.extract = extractors.New(extractors.Config{TempDir: temp, Options: extract.Options{
		Tesseract: extract.FindTesseract(), CacheDir: data("cache", "extract"), Log: s.log,
	}})
	dialer := newUpstreams(s.cfg, s.Settings, s.log).dialer
	d.embedders = newEmbedders(s.Settings, dialer, data("models"), s.log)
	d.reranker = &reranker{settings: s.Settings, dialer: dialer}
	d.reader = &reader{own: d.extract, settings: s.Settings, dialer: dialer}
	vectors, err := d.openIndexes(ctx, s, data)
	if err != nil {
		return err
	}
	at := chosenFailpoint()
	rows := at.rows(s.DB)
	d.retrieval = retrieval.New(retrieval.Config{
		Store: rows, Files: rows, Knowledge: s.DB, Blobs: at.blobs(d.blobs, "document"), Extract: d.reader, Embed: d.embedders,
		Lexical: d.lexical, Vectors: vectors, Settings: s.Settings, Bus: s.Bus,
		Rerank: d.reranker, Fetch: newFetcher().page, NewID: uuid.NewString, Log: s.log,
	})
	d.files = file.New(file.Config{
		Store: rows, Blobs: at.blobs(d.blobs, "blob"), Reader: d.retrieval, Grants: s.DB, Policy: policy(s.cfg), Settings: s.Settings, Bus: s.Bus,
		Person: s.Auth.Principal, Quota: file.Quota{Files: s.cfg.PersonFiles, Bytes: int64(s.cfg.PersonSpace) << 20}, Log: s.log,
	})
	d.knowledge = knowledge.New(knowledge.Config{
		Store: s.DB, Files: d.files, Grants: s.DB, Policy: policy(s.cfg), Indexer: d.retrieval, Reader: d.retrieval, NewID: uuid.NewString,
		Retain: func() bool { return setting.Get(s.Settings, setting.KeepKnowledgeFiles) },
	})
	d.files.Attach(d.knowledge)
	d.retrieval.Attach(d.files, d.knowledge)
	return nil
}

// claimBlobs keeps the janitor from taking the files of another database, on
// which this folder was started before, for waste.
func (s *Server) claimBlobs(ctx context.Context) error {
	instance, err := s.DB.InstanceID(ctx)
	if err != nil {
		return fmt.Errorf("the database does not say which one it is: %w", err)
	}
	ours, err := s.documents.blobs.Claim(instance)
	if err != nil {
		return fmt.Errorf("the folder of files cannot be claimed: %w", err)
	}
	if !ours {
		s.log.Warn("the uploaded files in DATA_DIR belong to another database: none will be removed; is DATABASE_URL right?")
	}
	return nil
}

// openIndexes opens what is derived from the database. What is there from
// another database is thrown away and made anew while the server runs. Vectors
// are in files, unless PostgreSQL can search them itself.
func (d *documents) openIndexes(ctx context.Context, s *Server, data func(...string) string) (retrieval.Vectors, error) {
	instance, err := s.DB.InstanceID(ctx)
	if err != nil {
		return nil, fmt.Errorf("the database does not say which one it is: %w", err)
	}
	if d.lexical, err = lexical.Open(data("index", "lexical"), instance, lexical.Options{}); err != nil {
		return nil, fmt.Errorf("the index of words cannot be opened: %w", err)
	}
	neighbours, err := s.DB.Neighbours(ctx)
	if err != nil {
		return nil, fmt.Errorf("the database's index of vectors cannot be opened: %w", err)
	}
	if neighbours != nil {
		return neighbours, nil
	}
	if d.vectors, err = vector.Open(data("index", "vector"), instance, vector.Options{}); err != nil {
		return nil, fmt.Errorf("the index of vectors cannot be opened: %w", err)
	}
	return d.vectors, nil
}

// run starts the workers.
func (d *documents) run() {
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	d.work.Go(func() { d.retrieval.Run(ctx) })
	d.work.Go(func() { d.files.Run(ctx) })
}

// close ends the workers, which give back what they were at, and lets go of
// everything.
func (d *documents) close() {
	d.stop()
	d.work.Wait()
	if d.extract != nil {
		_ = d.extract.Close()
	}
	if d.embedders != nil {
		d.embedders.close()
	}
	if d.reranker != nil {
		d.reranker.close()
	}
	if d.reader != nil {
		d.reader.close()
	}
	if d.lexical != nil {
		_ = d.lexical.Close() // what it lost it takes from the database again
	}
	if d.vectors != nil {
		_ = d.vectors.Close()
	}
	if d.blobs != nil {
		_ = d.blobs.Close()
	}
}

// grounding says how what was found reaches a model.
func (s *Server) grounding() chat.Grounding {
	return chat.Grounding{
		Template: setting.Get(s.Settings, setting.RAGTemplate),
		System:   setting.Get(s.Settings, setting.RAGSystemContext),
		Reword:   setting.Get(s.Settings, setting.QueryGeneration),
	}
}

package retrieval

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"portico/internal/errdefs"
	"portico/internal/file"
	"portico/internal/retrieval/chunk"
	"portico/internal/retrieval/document"
	"portico/internal/retrieval/extract"
)

const (
	maxDocument = 256 << 20 // bytes of an extracted document as JSON
	maxChunks   = 50_000    // of one file
)

// read does a job of kind ReadFile: what is in the file becomes text that can
// be searched, under every profile that anybody searches it with. Embedding
// is left to jobs of their own, so that one long file keeps no text waiting.
func (s *Service) read(ctx context.Context, w *work) error {
	if w.job.Attempts > maxDeaths {
		return &poisonError{w.job.Attempts}
	}
	f, err := s.fileOf(ctx, w.job)
	if err != nil {
		return err
	}
	if err := s.outcome(ctx, f, file.Outcome{Status: file.Processing}); err != nil {
		return err
	}
	doc, err := s.document(ctx, w, f)
	if err != nil {
		return &stageError{"extract", err}
	}
	if strings.TrimSpace(doc.Text) == "" {
		return &extract.Error{Code: "empty", Detail: "There is no text in this file."}
	}
	inst, err := s.instance(ctx)
	if err != nil {
		return err
	}
	all, err := s.profilesOf(ctx, f.ID, inst)
	if err != nil {
		return err
	}
	seq, later := int64(0), false
	for _, p := range all {
		set, err := s.cut(ctx, w, f, doc, p)
		if err != nil {
			return err
		}
		seq = max(seq, set.TextSeq)
		if !s.canEmbed(p) {
			continue
		}
		later = later || p.ID == inst.current.ID
		if err := s.cfg.Store.RestartJob(ctx, &Job{Kind: FillSet, FileID: f.ID, Profile: p.ID, UserID: f.UserID}, s.now()); err != nil {
			return s.lost(err)
		}
	}
	s.bench.report(w, "index", 0, 0)
	if err := s.text.wait(ctx, seq); err != nil {
		return err
	}
	s.ring(FillSet)
	if later {
		return nil // completed when its vectors are there
	}
	return s.outcome(ctx, f, file.Outcome{Status: file.Completed})
}

// fileOf is the file of a job; errGone when there is none any more.
func (s *Service) fileOf(ctx context.Context, job *Job) (*file.File, error) {
	f, err := s.cfg.Files.FileByID(ctx, job.FileID)
	return f, s.lost(err)
}

// lost makes errGone of an absent row.
func (s *Service) lost(err error) error {
	if errdefs.Is(err, errdefs.NotFound) {
		return errGone
	}
	return err
}

func (s *Service) outcome(ctx context.Context, f *file.File, o file.Outcome) error {
	return s.lost(s.cfg.Files.SetOutcome(ctx, f.ID, o, s.now()))
}

// document is what is in a file: read before, or read from equal bytes of
// another file, or extracted now.
func (s *Service) document(ctx context.Context, w *work, f *file.File) (*document.Document, error) {
	if f.Document != "" {
		if doc, err := s.loadDocument(ctx, f.Document); !errdefs.Is(err, errdefs.NotFound) {
			return doc, err
		}
	}
	s.bench.report(w, "extract", 0, 0)
	if doc, o, err := s.readBefore(ctx, f); err == nil && doc != nil {
		f.Document, f.TextHash, f.Warnings = o.Document, o.TextHash, o.Warnings
		return doc, s.outcome(ctx, f, o)
	}
	content, err := s.cfg.Blobs.Open(ctx, f.Blob)
	if errdefs.Is(err, errdefs.NotFound) {
		return nil, &extract.Error{Code: "missing", Detail: "The bytes of this file are gone from the server. Upload it again.", Err: err}
	}
	if err != nil {
		return nil, err
	}
	defer content.Close()
	doc, err := s.cfg.Extract.Extract(ctx, extract.Input{
		Name: f.Filename, ContentType: f.ContentType, Content: content, Size: f.Size,
		Progress: func(done, total int) { s.bench.report(w, "extract", done, total) },
	})
	if err != nil {
		return nil, err
	}
	o, err := s.keepDocument(ctx, doc)
	if err != nil {
		return nil, err
	}
	f.Document, f.TextHash, f.Warnings = o.Document, o.TextHash, o.Warnings
	return doc, s.outcome(ctx, f, o)
}

// readBefore looks for a file with the same bytes, and a name of the same
// kind, that was read already.
func (s *Service) readBefore(ctx context.Context, f *file.File) (*document.Document, file.Outcome, error) {
	others, err := s.cfg.Store.ReadBefore(ctx, f.Blob, f.ID)
	if err != nil {
		return nil, file.Outcome{}, err
	}
	for _, other := range others {
		if !strings.EqualFold(path.Ext(other.Filename), path.Ext(f.Filename)) {
			continue
		}
		doc, err := s.loadDocument(ctx, other.Document)
		if err != nil || hashOf(doc.Text) != other.TextHash {
			continue
		}
		return doc, file.Outcome{Status: file.Processing, Document: other.Document, TextHash: other.TextHash, Warnings: other.Warnings}, nil
	}
	return nil, file.Outcome{}, nil
}

// keepDocument keeps what was read as a blob.
func (s *Service) keepDocument(ctx context.Context, doc *document.Document) (file.Outcome, error) {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false) // answers hold the text as it is kept
	if err := enc.Encode(doc); err != nil {
		return file.Outcome{}, err
	}
	b, err := s.cfg.Blobs.Put(ctx, &raw, maxDocument)
	if err != nil {
		return file.Outcome{}, err
	}
	return file.Outcome{Status: file.Processing, Document: b.Hash, TextHash: hashOf(doc.Text), Warnings: doc.Warnings}, nil
}

func (s *Service) loadDocument(ctx context.Context, hash string) (*document.Document, error) {
	content, err := s.cfg.Blobs.Open(ctx, hash)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	raw, err := io.ReadAll(content)
	if err != nil {
		return nil, err
	}
	doc := new(document.Document)
	if err := json.Unmarshal(raw, doc); err != nil {
		return nil, fmt.Errorf("retrieval: the kept text of a file is damaged: %w", err)
	}
	return doc, nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// cut makes the set of a file under a profile, whose text is then visible.
func (s *Service) cut(ctx context.Context, w *work, f *file.File, doc *document.Document, p *Profile) (*Set, error) {
	s.bench.report(w, "chunk", 0, 0)
	var tokens func(string) int
	if e := s.embedder(p); e != nil {
		tokens = e.Tokens
	}
	chunks := chunk.Split(doc, p.Chunk, tokens)
	if len(chunks) > maxChunks {
		return nil, &stageError{"chunk", &extract.Error{Code: "too_many_chunks",
			Detail: fmt.Sprintf("This file has more than %d pieces of text. Split it, or set a larger CHUNK_SIZE.", maxChunks)}}
	}
	rows := make([]Row, len(chunks))
	for i, c := range chunks {
		rows[i] = Row{N: i, Text: c.Text, Context: c.Context, First: c.First, Last: c.Last, Page: c.Page, LastPage: c.LastPage}
	}
	set := &Set{FileID: f.ID, Profile: p.ID, Space: p.Space, Chunks: len(rows)}
	if err := s.cfg.Store.ReplaceSet(ctx, set, rows); err != nil {
		if !s.exists(ctx, f.ID) {
			err = errGone
		}
		return nil, &stageError{"index", err}
	}
	return set, nil
}

// Text implements file.Reader.
func (s *Service) Text(ctx context.Context, f *file.File) (string, error) {
	if f.Document == "" {
		return "", nil
	}
	doc, err := s.loadDocument(ctx, f.Document)
	if errdefs.Is(err, errdefs.NotFound) {
		return "", errdefs.New(errdefs.NotFound, "What was read of this file is gone from the server. Process it again.").WithCause(err)
	}
	if err != nil {
		return "", err
	}
	return doc.Text, nil
}

// Replace implements file.Reader.
func (s *Service) Replace(ctx context.Context, f *file.File, text string) error {
	if strings.TrimSpace(text) == "" {
		return errdefs.New(errdefs.Invalid, "The text is empty.")
	}
	text = strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\x00", ""), "�")
	o, err := s.keepDocument(ctx, &document.Document{Text: text})
	if err != nil {
		return err
	}
	return s.anew(ctx, f, o)
}

// anew makes a file's text searchable again, from another document or, where
// that of o is "", from its bytes.
func (s *Service) anew(ctx context.Context, f *file.File, o file.Outcome) error {
	if err := s.cfg.Store.ReadAgain(ctx, f, o, s.now()); err != nil {
		return err
	}
	// What is in hand works on the text of before: its results would come after.
	for _, done := range s.bench.stop(f.ID, errAnew) {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.Wake()
	return nil
}

// errNoText is told of files that cannot be used for their text.
var errNoText = errors.New("retrieval: the file has no text")

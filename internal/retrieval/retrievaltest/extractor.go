package retrievaltest

import (
	"context"
	"io"
	"strings"
	"sync/atomic"

	"portico/internal/retrieval/document"
	"portico/internal/retrieval/extract"
)

// Extractor takes every file for plain text.
type Extractor struct {
	Calls atomic.Int64
	// Fault, if set, is asked before each reading and may fail it.
	Fault func(ctx context.Context, in extract.Input) error
}

// Extract implements extract.Extractor.
func (e *Extractor) Extract(ctx context.Context, in extract.Input) (*document.Document, error) {
	e.Calls.Add(1)
	if e.Fault != nil {
		if err := e.Fault(ctx, in); err != nil {
			return nil, err
		}
	}
	raw, err := io.ReadAll(io.NewSectionReader(in.Content, 0, in.Size))
	if err != nil {
		return nil, err
	}
	text := strings.ToValidUTF8(string(raw), "�")
	if strings.TrimSpace(text) == "" {
		return nil, &extract.Error{Code: "empty", Detail: "There is no text in this file."}
	}
	return &document.Document{Text: text}, nil
}

package retrieval

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"portico/internal/errdefs"
	"portico/internal/retrieval/document"
	"portico/internal/retrieval/extract"
)

// Page is what an address answered.
type Page struct {
	URL         string // where the answer came from, after redirects
	Name        string // its last part, for its extension
	ContentType string
	Body        []byte
}

// Fetcher opens addresses that anybody brought. It reaches public ones only,
// and bounds time, size and kind of what comes. Its errors say in a sentence
// what was wrong, as *errdefs.Error.
type Fetcher func(ctx context.Context, url string) (*Page, error)

// pageRead is a page and the text of it.
type pageRead struct {
	*Page
	doc   *document.Document
	title string
}

// errNoFetch is told where no pages can be read.
var errNoFetch = errdefs.New(errdefs.Invalid, "This server reads no web pages.")

// readPage fetches an address and reads the text of it.
func (s *Service) readPage(ctx context.Context, url string) (*pageRead, error) {
	if s.cfg.Fetch == nil {
		return nil, errNoFetch
	}
	page, err := s.cfg.Fetch(ctx, url)
	if err != nil {
		return nil, err
	}
	doc, err := s.cfg.Extract.Extract(ctx, extract.Input{
		Name: page.Name, ContentType: page.ContentType, Content: bytes.NewReader(page.Body), Size: int64(len(page.Body)),
	})
	var bad *extract.Error
	if errors.As(err, &bad) {
		return nil, errdefs.New(errdefs.Invalid, bad.Detail).WithCause(err)
	}
	if err != nil {
		return nil, fmt.Errorf("retrieval: a page cannot be read: %w", err)
	}
	if doc.Text == "" {
		return nil, errdefs.New(errdefs.Invalid, "There is no text on this page.")
	}
	return &pageRead{page, doc, cmp.Or(doc.Title, url)}, nil
}

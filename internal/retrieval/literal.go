package retrieval

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	"portico/internal/errdefs"
	"portico/internal/file"
)

// textKey is what a kept document begins with.
const textKey = `{"text":`

var errTextGone = errdefs.New(errdefs.NotFound, "What was read of this file is gone from the server. Process it again.")

// TextJSON gives what Text does as a JSON string, quotes and all, piece by
// piece as it is kept: however long the text is, and however many ask for it,
// it costs a buffer. The caller closes it.
func (s *Service) TextJSON(ctx context.Context, f *file.File) (io.ReadCloser, error) {
	if f.Document == "" {
		return io.NopCloser(strings.NewReader(`""`)), nil
	}
	content, err := s.cfg.Blobs.Open(ctx, f.Document)
	if errdefs.Is(err, errdefs.NotFound) {
		return nil, errTextGone.WithCause(err)
	}
	if err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(content, 32<<10)
	head := make([]byte, len(textKey))
	if _, err = io.ReadFull(r, head); err == nil && string(head) != textKey {
		err = errors.New("retrieval: the kept text of a file is damaged")
	}
	if err != nil {
		_ = content.Close()
		return nil, err
	}
	return &literal{r: r, Closer: content}, nil
}

// literal reads to the end of a JSON string.
type literal struct {
	r io.Reader
	io.Closer
	begun, escaped, over bool
}

func (l *literal) Read(p []byte) (int, error) {
	if l.over {
		return 0, io.EOF
	}
	n, err := l.r.Read(p)
	for i, c := range p[:n] {
		switch {
		case l.escaped:
			l.escaped = false
		case c == '\\':
			l.escaped = true
		case c == '"' && l.begun:
			l.over = true
			return i + 1, nil
		case c == '"':
			l.begun = true
		}
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

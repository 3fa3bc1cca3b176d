// Package extract reads the text of a file of any known format. Its parsers
// take hostile bytes under limits; in the server they run in a child process
// (package extract/worker), in tests also in the same one. It knows no users,
// no database and no network but the external engines that an administrator
// configured.
package extract

import (
	"context"
	"errors"
	"io"
	"time"

	"portico/internal/retrieval/document"
)

// Input is one file to read.
type Input struct {
	// Name is the client's file name, for its extension alone.
	Name string
	// ContentType is what the client said it is; it may be wrong.
	ContentType string
	// Content is the bytes.
	Content io.ReaderAt
	Size    int64
	// Progress is told what is done of how much (pages, sheets, members);
	// may be nil.
	Progress func(done, total int)

	part   *part // what it shares with the file that it is part of
	nested int   // how deep in archives it is
}

// Limits bound one extraction. Zero fields take the defaults in parentheses.
type Limits struct {
	Text    int64         // bytes of text that may come out (64 MiB)
	Pages   int           // (5,000)
	Sheets  int           // (256)
	Slides  int           // (2,000)
	Cells   int           // of one workbook (2,000,000)
	Members int           // of one archive (10,000)
	Expand  int64         // bytes that an archive may unpack to (512 MiB)
	Ratio   int64         // of unpacked to packed, after the first MiB (100)
	Nesting int           // archives in archives (2)
	Depth   int           // of XML (256)
	Wall    time.Duration // (120 s)
	CPU     time.Duration // of the child (60 s)
	Memory  int64         // of the child, bytes (1 GiB)
}

// Extractor reads files. Errors are *Error where the file is to blame.
type Extractor interface {
	Extract(ctx context.Context, in Input) (*document.Document, error)
}

// Error is why a file cannot be read, for its owner.
type Error struct {
	// Code is a stable word: "empty", "encrypted", "broken", "unsupported",
	// "no_text", "limit:pages", "limit:memory", …; "media" is a video or a sound
	// file, which is kept as it is and has failed at nothing.
	Code string
	// Detail is a sentence: what is wrong with the file, and what to do.
	Detail string
	Err    error // the cause, for the log
}

func (e *Error) Error() string { return "extract: " + e.Code + ": " + e.Detail }

func (e *Error) Unwrap() error { return e.Err }

// ErrCrashed is a child that died at its work; another try may succeed.
var ErrCrashed = errors.New("extract: the child died")

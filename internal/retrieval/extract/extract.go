package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"strings"

	"portico/internal/retrieval/document"
)

// Options is what readers need beside the file.
type Options struct {
	// Tesseract is the path of the OCR program, "" for none (FindTesseract).
	Tesseract string
	// TessData is the folder of its languages, "" for its own.
	TessData string
	// CacheDir keeps what is compiled once, "" for nowhere. It must be a folder
	// that nobody else writes to.
	CacheDir string
	// Log tells of what takes long; nil is nowhere.
	Log *slog.Logger
}

// Parser reads files in this process. It is for one file at a time where
// memory counts, and safe for many.
type Parser struct {
	lim    Limits
	opt    Options
	pdf    *pdfEngine
	byName map[string]*format
	byExt  map[string]*format
	byType map[string]*format
}

// New makes a parser. Zero limits are the defaults.
func New(lim Limits, opt Options) *Parser {
	p := &Parser{lim: lim.WithDefaults(), opt: opt, byName: map[string]*format{}, byExt: map[string]*format{}, byType: map[string]*format{}}
	if p.opt.Log == nil {
		p.opt.Log = slog.New(slog.DiscardHandler)
	}
	p.pdf = newPDFEngine(p.opt, p.lim.Memory)
	for _, f := range formats() {
		p.byName[f.name] = &f
		for _, e := range strings.Fields(f.exts) {
			p.byExt[e] = &f
		}
		for _, t := range strings.Fields(f.types) {
			p.byType[t] = &f
		}
	}
	return p
}

// Close gives back what reading PDFs holds.
func (p *Parser) Close() error { return p.pdf.Close() }

// Extract implements Extractor. A panic of a reader is its file's fault.
func (p *Parser) Extract(ctx context.Context, in Input) (*document.Document, error) {
	ctx, stop := context.WithTimeoutCause(ctx, p.lim.Wall, errWall)
	defer stop()
	in.part = &part{parser: p, packed: in.Size}
	d, err := p.read(ctx, &in, &p.lim)
	if err != nil && ctx.Err() != nil && errors.Is(context.Cause(ctx), errWall) {
		return nil, overLimit("wall", "Reading this file took longer than %d s, which is the limit.", int(p.lim.Wall.Seconds()))
	}
	return d, err
}

var errWall = errors.New("extract: the time is over")

// read reads a file or a part of one.
func (p *Parser) read(ctx context.Context, in *Input, lim *Limits) (d *document.Document, err error) {
	if in.Size <= 0 {
		return nil, &Error{Code: "empty", Detail: "This file is empty."}
	}
	f := p.sniff(in)
	defer func() {
		if v := recover(); v != nil {
			d, err = nil, broken(f.name, fmt.Errorf("panic: %v", v))
		}
	}()
	if f.read == nil {
		return nil, &Error{Code: f.code(), Detail: f.why}
	}
	d, err = f.read(ctx, in, lim)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	case strings.TrimSpace(d.Text) == "":
		return nil, &Error{Code: "no_text", Detail: "There is no text in this " + f.name + " that could be read."}
	}
	return d, nil
}

func (f *format) code() string {
	switch f.name {
	case "video", "sound":
		return "media"
	case "encrypted Office file":
		return "encrypted"
	}
	return "unsupported"
}

// member gives a part of in, such as a member of an archive or an attachment,
// as a file of its own. Too deep a nest is an error. readMember reads it.
func (in *Input) member(name, contentType string, content io.ReaderAt, size int64, lim *Limits) (*Input, error) {
	if in.nested >= lim.Nesting {
		return nil, overLimit("nesting", "Archives within archives are read %d deep.", lim.Nesting)
	}
	return &Input{Name: name, ContentType: contentType, Content: content, Size: size, part: in.whole(), nested: in.nested + 1}, nil
}

// readMember reads what member gave, whatever format it is of.
func (in *Input) readMember(ctx context.Context, lim *Limits) (*document.Document, error) {
	p := in.whole().parser
	if p == nil {
		return nil, errors.New("extract: a member without a parser")
	}
	return p.read(ctx, in, lim)
}

// progress tells whoever wants to know.
func (in *Input) progress(done, total int) {
	if in.Progress != nil {
		in.Progress(done, total)
	}
}

// charset is the encoding that the client says, or "".
func (in *Input) charset() string {
	_, params, _ := mime.ParseMediaType(in.ContentType)
	return params["charset"]
}

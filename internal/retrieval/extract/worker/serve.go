package worker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"portico/internal/retrieval/document"
	"portico/internal/retrieval/extract"
)

// settingsVar is the only variable of a child, apart from Go's own: what it
// must know before it can confine itself.
const settingsVar = "PORTICO_EXTRACT"

type settings struct {
	Tesseract string        `json:"tesseract,omitempty"`
	TessData  string        `json:"tessdata,omitempty"`
	CacheDir  string        `json:"cache_dir,omitempty"`
	Memory    int64         `json:"memory"`
	CPU       time.Duration `json:"cpu"`
	Confined  []string      `json:"confined,omitempty"` // the walls that stand, once they do
	Missing   []string      `json:"missing,omitempty"`  // and those that do not
}

// socket is the descriptor of a child's end.
const socket = 3

// Child is what a child process runs: it confines itself, which starts its
// program once more within the walls, and serves jobs until its parent is gone.
// env finds variables.
func Child(ctx context.Context, env func(string) string) error {
	return become(ctx, env, func(lim extract.Limits, opt extract.Options) extract.Extractor { return extract.New(lim, opt) })
}

// maker makes what reads files in a child.
type maker func(lim extract.Limits, opt extract.Options) extract.Extractor

func become(ctx context.Context, env func(string) string, make maker) error {
	var set settings
	if err := json.Unmarshal([]byte(env(settingsVar)), &set); err != nil {
		return errors.New("extract --worker is started by the server, not by hand: see portico extract --help")
	}
	if set.Confined == nil {
		if err := confine(&set); err != nil {
			return err
		}
	}
	f := os.NewFile(socket, "parent")
	c, err := asConn(f)
	_ = f.Close()
	if err != nil {
		return err
	}
	defer c.Close()
	return serve(ctx, c, set, make)
}

// serve does jobs one after the other.
func serve(ctx context.Context, c conn, set settings, make maker) error {
	say := slog.New(&sayer{c: c})
	opt := extract.Options{Tesseract: set.Tesseract, TessData: set.TessData, CacheDir: set.CacheDir, Log: say}
	var p extract.Extractor
	for {
		kind, body, file, err := c.receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var j job
		if kind != frameJob || file == nil || json.Unmarshal(body, &j) != nil {
			return errors.New("extract: the parent sent something else than a job")
		}
		if p == nil { // the limits are the same for all jobs of a parent
			p = make(j.Limits, opt)
			if len(set.Missing) > 0 {
				say.Info("a child that reads files has not all its walls", "missing", set.Missing)
			}
		}
		bound(j.Limits.CPU)
		err = answer(ctx, c, p, j, file)
		_ = file.Close()
		if err != nil {
			return err
		}
	}
}

// answer does one job. Its error is of the connection.
func answer(ctx context.Context, c conn, p extract.Extractor, j job, file *os.File) error {
	var told time.Time
	doc, err := p.Extract(ctx, extract.Input{
		Name: j.Name, ContentType: j.ContentType, Content: file, Size: j.Size,
		Progress: func(done, total int) {
			if now := time.Now(); done == total || now.Sub(told) > 100*time.Millisecond {
				told = now
				_ = c.sendJSON(frameProgress, progress{Done: done, Total: total}, nil)
			}
		},
	})
	if err != nil {
		f := failure{Cause: err.Error()}
		var e *extract.Error
		if errors.As(err, &e) {
			f = failure{Code: e.Code, Detail: e.Detail}
			if e.Err != nil {
				f.Cause = e.Err.Error()
			}
		}
		return c.sendJSON(frameFailed, f, nil)
	}
	return sendDocument(c, doc)
}

func sendDocument(c conn, doc *document.Document) error {
	const piece = 1 << 20
	for text := doc.Text; text != ""; {
		n := min(len(text), piece)
		if err := c.send(frameText, []byte(text[:n]), nil); err != nil {
			return err
		}
		text = text[n:]
	}
	rest := *doc
	rest.Text = ""
	return c.sendJSON(frameDocument, &rest, nil)
}

// sayer sends log records to the parent, as one line each.
type sayer struct {
	c conn
}

func (s *sayer) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

func (s *sayer) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	return s.c.send(frameSay, []byte(line), nil)
}

func (s *sayer) WithAttrs([]slog.Attr) slog.Handler { return s }

func (s *sayer) WithGroup(string) slog.Handler { return s }

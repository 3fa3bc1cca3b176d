package server

import (
	"context"
	"strings"
	"sync"

	"portico/internal/hop"
	"portico/internal/retrieval/document"
	"portico/internal/retrieval/extract"
	"portico/internal/setting"
)

// reader reads files by whatever the settings name now: the children of this
// server, or an engine elsewhere.
type reader struct {
	own      extract.Extractor
	settings *setting.Settings
	dialer   hop.Dialer

	mu    sync.Mutex
	named [3]string // engine, address and key of other
	up    *hop.Upstream
	other extract.Extractor
}

// Extract implements extract.Extractor.
func (r *reader) Extract(ctx context.Context, in extract.Input) (*document.Document, error) {
	e, err := r.chosen()
	if err != nil {
		return nil, err
	}
	return e.Extract(ctx, in)
}

func (r *reader) chosen() (extract.Extractor, error) {
	want := [3]string{setting.Get(r.settings, setting.ExtractionEngine)}
	switch want[0] {
	case "tika":
		want[1] = setting.Get(r.settings, setting.TikaURL)
	case "docling":
		want[1], want[2] = setting.Get(r.settings, setting.DoclingURL), setting.Get(r.settings, setting.DoclingKey)
	default:
		return r.own, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.other != nil && r.named == want {
		return r.other, nil
	}
	up, err := hop.New(strings.TrimRight(want[1], "/"), hop.Options{Dialer: r.dialer, MaxIdle: 4})
	if err != nil {
		return nil, &extract.Error{Code: "engine", Detail: "The engine that reads files is not set up rightly. An administrator has to check its address.", Err: err}
	}
	r.drop()
	if r.named, r.up = want, up; want[0] == "tika" {
		r.other = extract.NewTika(up, extract.Limits{})
	} else {
		r.other = extract.NewDocling(up, want[2], extract.Limits{})
	}
	return r.other, nil
}

// drop closes what is kept. Calls in flight run to their end.
func (r *reader) drop() {
	if r.up != nil {
		r.up.Close()
	}
}

func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
}

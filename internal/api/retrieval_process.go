package api

import (
	"context"
	"net/http"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/retrieval"
)

type processFileForm struct {
	FileID     string `json:"file_id" require:"true"`
	Content    string `json:"content"`
	Collection string `json:"collection_name"`
}

type processTextForm struct {
	Name       string `json:"name" require:"true"`
	Content    string `json:"content" require:"true"`
	Collection string `json:"collection_name"`
}

type processURLForm struct {
	URL        string `json:"url" require:"true"`
	Collection string `json:"collection_name"`
}

type processBatchForm struct {
	Files []struct {
		ID string `json:"id"`
	} `json:"files" require:"true"`
	Collection string `json:"collection_name" require:"true"`
}

type searchForm struct {
	Queries []string `json:"queries" require:"true"`
}

// processedAnswer says by which name something is found. file, type, name and
// url are of pages.
type processedAnswer struct {
	Status     bool           `json:"status"`
	Type       string         `json:"type,omitempty"`
	Name       string         `json:"name,omitempty"`
	URL        string         `json:"url,omitempty"`
	Collection string         `json:"collection_name"`
	Filename   string         `json:"filename,omitempty"`
	Content    string         `json:"content"`
	File       *processedFile `json:"file,omitempty"`
}

type processedFile struct {
	ID   string `json:"id,omitempty"`
	Data struct {
		Content string `json:"content"`
	} `json:"data"`
	Meta struct {
		Name   string `json:"name"`
		Source string `json:"source"`
	} `json:"meta"`
}

func (a *API) processFile(ctx context.Context, c *route.Call, in processFileForm) (*processedAnswer, error) {
	p, err := a.Retrieval.ProcessFile(ctx, c.Who, in.FileID, in.Content, in.Collection)
	if err != nil {
		return nil, err
	}
	return &processedAnswer{Status: true, Collection: p.Collection, Filename: p.Name, Content: p.Text}, nil
}

func (a *API) processText(ctx context.Context, c *route.Call, in processTextForm) (*processedAnswer, error) {
	p, err := a.Retrieval.ProcessText(ctx, c.Who, in.Name, in.Content, in.Collection)
	if err != nil {
		return nil, err
	}
	return &processedAnswer{Status: true, Collection: p.Collection, Content: p.Text}, nil
}

// processURL makes the handler of pages; typed ones say what was found.
func (a *API) processURL(typed bool) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		var in processURLForm
		if err := route.Decode(w, r, c, &in); err != nil {
			return err
		}
		args := route.ArgsOf(r)
		keep, overwrite := args.Bool("process", true), args.Bool("overwrite", true)
		if err := args.Err(); err != nil {
			return err
		}
		p, err := a.Retrieval.ProcessPage(r.Context(), c.Who, in.URL, in.Collection, keep, overwrite)
		if err != nil {
			return err
		}
		return route.WriteJSON(w, http.StatusOK, pageAnswer(p, typed))
	}
}

func pageAnswer(p *retrieval.Processed, typed bool) *processedAnswer {
	out := &processedAnswer{Status: true, Collection: p.Collection, Filename: p.URL, Content: p.Text, File: &processedFile{}}
	out.File.Data.Content, out.File.Meta.Name, out.File.Meta.Source = p.Text, p.Name, p.URL
	if p.File != nil {
		out.File.ID = p.File.ID
	}
	if typed {
		out.Type, out.Name, out.URL = "web", p.Name, p.URL
	}
	return out
}

// batchAnswer tells of each file.
type batchAnswer struct {
	Results []batchResult `json:"results"`
	Errors  []batchResult `json:"errors"`
}

type batchResult struct {
	FileID string  `json:"file_id"`
	Status string  `json:"status"`
	Error  *string `json:"error"`
}

// maxProcessed bounds the files of one request.
const maxProcessed = 1000

func (a *API) processBatch(ctx context.Context, c *route.Call, in processBatchForm) (*batchAnswer, error) {
	if len(in.Files) > maxProcessed {
		return nil, errdefs.Newf(errdefs.Invalid, "At most %d files can be processed at once.", maxProcessed)
	}
	out := &batchAnswer{Results: []batchResult{}, Errors: []batchResult{}}
	for _, f := range in.Files {
		_, err := a.Retrieval.ProcessFile(ctx, c.Who, f.ID, "", in.Collection)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errdefs.Is(err, errdefs.Forbidden):
			return nil, err // of the collection: the same for all
		case err != nil:
			why := errdefs.From(err).Detail
			out.Errors = append(out.Errors, batchResult{f.ID, "failed", &why})
		default:
			out.Results = append(out.Results, batchResult{f.ID, "completed", nil})
		}
	}
	return out, nil
}

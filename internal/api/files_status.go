package api

import (
	"context"
	"net/http"
	"time"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/file"
)

// fileProgress tells how far a file is read. Times are seconds.
type fileProgress struct {
	Status file.Status `json:"status"`
	Error  string      `json:"error,omitempty"`
	Stage  string      `json:"stage,omitempty"` // extract, chunk, embed, index
	Done   *int        `json:"done,omitempty"`
	Total  *int        `json:"total,omitempty"`
	ETA    *int        `json:"eta,omitempty"` // of the stage, seconds
}

const (
	// statusTick is how often a stream tells of a file in work, and statusCheck
	// how often it looks at the row though it heard of no change.
	statusTick  = time.Second
	statusCheck = 5 * time.Second
)

func (a *API) fileStatus(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	stream := args.Bool("stream", false)
	if err := args.Err(); err != nil {
		return err
	}
	id := r.PathValue("id")
	var changed <-chan struct{}
	if stream {
		// Before the first look, so that no change is missed.
		ch, stop := a.Files.Watch(id)
		defer stop()
		changed = ch
	}
	f, err := a.Files.Load(r.Context(), c.Who, access.Read, id)
	if err != nil {
		return err
	}
	if !stream {
		p := new(pace).of(f, a.progress(f))
		if f.Status == file.Stored {
			p.Status = "none"
		}
		return route.WriteJSON(w, http.StatusOK, p)
	}
	return a.streamStatus(w, r.Context(), c.Who, f, changed)
}

// progress is what this server knows of a file in work.
func (a *API) progress(f *file.File) *file.Progress {
	if f.Status.Done() {
		return nil
	}
	if p, ok := a.Files.Progress(f.ID); ok {
		return &p
	}
	return nil
}

// streamStatus tells of a file until it is read, or the client leaves.
func (a *API) streamStatus(w http.ResponseWriter, ctx context.Context, who *access.Principal, f *file.File, changed <-chan struct{}) error {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	out := &events{patient: newPatient(w)}
	defer out.done()
	tick := time.NewTicker(statusTick)
	defer tick.Stop()
	looked, speed := time.Now(), new(pace)
	for {
		if f.Status == file.Stored {
			return out.control.Flush() // nothing will ever happen to it
		}
		if err := out.send(speed.of(f, a.progress(f))); err != nil || f.Status.Done() {
			return err
		}
		look := false
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			look = true
		case <-tick.C:
			look = time.Since(looked) >= statusCheck
			if a.NotReady != nil && len(a.NotReady()) > 0 {
				return nil // the server stops: the client asks again, elsewhere
			}
		}
		if !look {
			continue
		}
		looked = time.Now()
		next, err := a.Files.Load(ctx, who, access.Read, f.ID)
		switch {
		case errdefs.Is(err, errdefs.NotFound):
			return out.send(fileProgress{Status: "not_found"})
		case err != nil && ctx.Err() == nil:
			a.logger().Warn("the status of a file cannot be read", "file", f.ID, "err", err)
		case err == nil:
			f = next
		}
	}
}

// events writes server-sent events.
type events struct{ *patient }

func (e *events) send(v any) error {
	raw, err := route.Marshal(v)
	if err != nil {
		return err
	}
	if _, err = e.Write(append(append([]byte("data: "), raw...), "\n\n"...)); err == nil {
		err = e.control.Flush()
	}
	if err != nil {
		return errClientLeft(err)
	}
	return nil
}

// pace knows how fast a stage goes.
type pace struct {
	stage string
	began time.Time
	first int
}

// of describes a file, with what is left of its stage at the speed so far.
func (p *pace) of(f *file.File, at *file.Progress) fileProgress {
	out := fileProgress{Status: f.Status}
	if f.Status == file.Failed {
		out.Error = f.Error
	}
	if at == nil {
		return out
	}
	now := time.Now()
	if p.stage != at.Stage {
		*p = pace{stage: at.Stage, began: now, first: at.Done}
	}
	out.Stage, out.Done = at.Stage, &at.Done
	if at.Total > 0 {
		out.Total = &at.Total
		if done := at.Done - p.first; done > 0 {
			left := int(now.Sub(p.began).Seconds()*float64(at.Total-at.Done)/float64(done) + 0.5)
			out.ETA = &left
		}
	}
	return out
}

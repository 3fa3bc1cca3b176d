package api

import (
	"archive/zip"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"portico/internal/api/route"
	"portico/internal/file"
	"portico/internal/knowledge"
)

// pendingEvery is how often a stream tells of the files that are being read.
const pendingEvery = 3 * time.Second

func (a *API) pendingKnowledge(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args, id := route.ArgsOf(r), r.PathValue("id")
	stream := args.Bool("stream", false)
	if err := args.Err(); err != nil {
		return err
	}
	files, err := a.Knowledge.Unfinished(r.Context(), c.Who, id)
	if err != nil {
		return sharing(err)
	}
	if !stream {
		return route.WriteJSON(w, http.StatusOK, pendingOf(files))
	}
	return a.streamPending(w, r, c, id, files)
}

func pendingOf(files []*file.File) []fileAnswer {
	list := make([]fileAnswer, len(files))
	for i, f := range files {
		list[i] = fileOf(f, nil)
	}
	return list
}

// streamPending tells again and again, with the rights of that moment, until
// nothing is being read any more.
func (a *API) streamPending(w http.ResponseWriter, r *http.Request, c *route.Call, id string, files []*file.File) error {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	out := &events{patient: newPatient(w)}
	defer out.done()
	ctx, who := r.Context(), c.Who
	tick := time.NewTicker(pendingEvery)
	defer tick.Stop()
	for {
		if err := out.send(pendingOf(files)); err != nil || len(files) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if a.NotReady != nil && len(a.NotReady()) > 0 {
			return nil // the server stops: the client asks again, elsewhere
		}
		var err error
		if files, err = a.Knowledge.Unfinished(ctx, who, id); err != nil {
			return nil // deleted, or no longer theirs
		}
	}
}

// exportKnowledge writes the texts one after the other: no more than one is in
// memory.
func (a *API) exportKnowledge(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	id := r.PathValue("id")
	sheet, err := a.Knowledge.Get(r.Context(), c.Who, id)
	if err != nil {
		return reading(err)
	}
	tree, err := a.Knowledge.Directories(r.Context(), c.Who, id)
	if err != nil {
		return reading(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", disposition("attachment", sheet.Name+".zip"))
	out := newPatient(w)
	defer out.done()
	z := zip.NewWriter(out)
	names := map[string]bool{}
	for offset := 0; ; {
		entries, total, err := a.Knowledge.Entries(r.Context(), c.Who, id, knowledge.FileFilter{OrderBy: "created_at", Ascending: true, Offset: offset, Limit: 100})
		if err != nil {
			return cutOff(out.control, offset, err)
		}
		for _, e := range entries {
			text, err := a.Files.Text(r.Context(), e.File)
			if err != nil {
				return cutOff(out.control, offset, err)
			}
			member, err := z.CreateHeader(&zip.FileHeader{Name: freeName(names, tree.Path(e.DirectoryID), e), Method: zip.Deflate, Modified: time.Unix(e.File.UpdatedAt, 0).UTC()})
			if err == nil {
				_, err = member.Write([]byte(text))
			}
			if err != nil {
				return errClientLeft(err)
			}
			offset++
		}
		if len(entries) == 0 || offset >= total {
			break
		}
	}
	if err := z.Close(); err != nil {
		return errClientLeft(err)
	}
	return nil
}

// cutOff ends an archive that cannot become whole: with an error before its
// first byte, else with the connection.
func cutOff(rc *http.ResponseController, written int, err error) error {
	if written > 0 {
		breakOff(rc)
	}
	return err
}

// freeName is where a file's text goes in the archive: below its directory, or
// its path, each name once.
func freeName(taken map[string]bool, directory string, e *knowledge.Entry) string {
	name := path.Join(directory, strings.NewReplacer("/", "_", "\\", "_").Replace(e.File.Filename))
	if e.Path != "" {
		name = e.Path
	}
	for n, free := 1, name+".txt"; ; n++ {
		if !taken[free] {
			taken[free] = true
			return free
		}
		free = name + " (" + strconv.Itoa(n+1) + ").txt"
	}
}

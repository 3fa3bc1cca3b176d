package api

import (
	"context"
	"io"
	"net/http"
	"strings"

	"portico/internal/api/route"
	"portico/internal/file"
)

// Texts of files may be long, and many may ask for them at once. So they are
// copied into answers from where they are kept, piece by piece, and none is
// ever whole in memory.

// noContent is where the text of a file goes in an answer that was written
// with an empty one. What clients bring of their own comes behind it, and
// within a string there is no quote that is not escaped.
const noContent = `"content":""`

// texted is one answer of a list, and the file whose text is to be in it; nil
// is none.
type texted struct {
	answer any
	file   *file.File
}

func textedOf(answer any, f *file.File, text bool) texted {
	if !text || f.Document == "" {
		f = nil
	}
	return texted{answer, f}
}

// sendText answers with one answer that has the text of a file in it.
func (a *API) sendText(w http.ResponseWriter, r *http.Request, answer any, f *file.File) error {
	raw, err := route.Marshal(answer)
	if err != nil {
		return err
	}
	text, err := a.Retrieval.TextJSON(r.Context(), f)
	if err != nil {
		return err
	}
	defer text.Close()
	out := newPatient(w)
	defer out.done()
	w.Header().Set("Content-Type", "application/json")
	return out.splice(raw, text)
}

// sendTexts answers with a list between two ends.
func (a *API) sendTexts(w http.ResponseWriter, r *http.Request, before string, list []texted, after string) error {
	out := newPatient(w)
	defer out.done()
	w.Header().Set("Content-Type", "application/json")
	for _, one := range list {
		raw, err := route.Marshal(one.answer)
		if err != nil {
			return err
		}
		if err := out.put(before); err != nil {
			return err
		}
		before = ","
		if one.file == nil {
			err = out.put(string(raw))
		} else {
			text := a.textOrNull(r.Context(), one.file)
			err = out.splice(raw, text)
			_ = text.Close()
		}
		if err != nil {
			return err
		}
	}
	if len(list) == 0 {
		after = before + after
	}
	return out.put(after)
}

// textOrNull is the text of one file among others: one that is gone does not
// take the others away.
func (a *API) textOrNull(ctx context.Context, f *file.File) io.ReadCloser {
	text, err := a.Retrieval.TextJSON(ctx, f)
	if err == nil {
		return text
	}
	a.logger().Warn("the text of a file cannot be read", "file", f.ID, "err", err)
	return io.NopCloser(strings.NewReader("null"))
}

// put writes a piece of an answer.
func (p *patient) put(s string) error {
	if _, err := io.WriteString(p, s); err != nil {
		return errClientLeft(err)
	}
	return nil
}

// splice writes an answer with a text in place of the empty one in it. Where
// the text breaks off, the connection does.
func (p *patient) splice(raw []byte, text io.Reader) error {
	before, after, found := strings.Cut(string(raw), noContent)
	if !found {
		return p.put(before)
	}
	if err := p.put(before + `"content":`); err != nil {
		return err
	}
	piece := make([]byte, 32<<10)
	for {
		n, err := text.Read(piece)
		if _, err := p.Write(piece[:n]); err != nil {
			return errClientLeft(err)
		}
		if err == io.EOF {
			return p.put(after)
		}
		if err != nil {
			breakOff(p.control)
			return err
		}
	}
}

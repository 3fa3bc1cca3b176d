package route

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"portico/internal/errdefs"
	"portico/internal/rawjson"
)

// JSON makes a handler of a function from a typed body to a typed answer. The
// body is decoded as Decode does; the answer is written as WriteJSON does with
// status 200.
//
// A field of In is required when its tag says `require:"true"`; all others may
// be absent or null. Unknown members are ignored.
func JSON[In, Out any](fn func(ctx context.Context, c *Call, in In) (Out, error)) Handler {
	return func(w http.ResponseWriter, r *http.Request, c *Call) error {
		var in In
		if err := Decode(w, r, c, &in); err != nil {
			return err
		}
		out, err := fn(r.Context(), c, in)
		if err != nil {
			return err
		}
		return WriteJSON(w, http.StatusOK, out)
	}
}

// NoBody is JSON for routes that take no body; one that is sent is ignored.
func NoBody[Out any](fn func(ctx context.Context, c *Call) (Out, error)) Handler {
	return func(w http.ResponseWriter, r *http.Request, c *Call) error {
		out, err := fn(r.Context(), c)
		if err != nil {
			return err
		}
		return WriteJSON(w, http.StatusOK, out)
	}
}

// ReadBody reads the whole body, less the mark that some editors put at the
// beginning of a text. The dispatcher has bounded it by the route's
// MaxBody: over that, and where a client broke off, the error says so. With an
// ambient credential the body must say that it is JSON, because a form of
// another site cannot.
func ReadBody(r *http.Request, c *Call) ([]byte, error) {
	if c.Ambient && !SaysJSON(r) {
		return nil, errdefs.New(errdefs.Invalid, "With a cookie, the body must be sent as Content-Type: application/json.").
			WithStatus(http.StatusUnsupportedMediaType)
	}
	var body []byte
	var err error
	if n := r.ContentLength; n > 0 && n <= 64<<20 {
		body = make([]byte, n)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(r.Body)
	}
	if err != nil {
		return nil, BodyError(err)
	}
	return bytes.TrimPrefix(body, []byte("\ufeff")), nil
}

// BodyError says to the caller why their body could not be read.
func BodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return TooLarge(tooLarge.Limit)
	}
	return errdefs.BrokenBody(err)
}

// TooLarge is the error for a body of more than limit bytes.
func TooLarge(limit int64) error {
	return errdefs.Newf(errdefs.TooLarge, "The body is larger than the %s that this route takes.", size(limit))
}

// SaysJSON reports whether the Content-Type is JSON, which only a program or a
// page of ours can send.
func SaysJSON(r *http.Request) bool {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// Decode reads a JSON body into the value that in points to, whatever the
// Content-Type says. Faults come back as one errdefs.Unprocessable with a list
// in FastAPI's shape.
func Decode(_ http.ResponseWriter, r *http.Request, c *Call, in any) error {
	body, err := ReadBody(r, c)
	if err != nil {
		return err
	}
	return Unmarshal(body, in)
}

// Unmarshal is Decode for bytes.
func Unmarshal(body []byte, in any) error {
	if len(body) == 0 {
		return missingBody()
	}
	doc := rawjson.Get()
	defer rawjson.Put(doc)
	switch err := doc.Parse(body, rawjson.Limits{}); {
	case errors.Is(err, rawjson.ErrNotObject):
		return unmarshalOther(body, in)
	case err != nil:
		return SyntaxError(err)
	}
	return unmarshalObject(doc, in)
}

// SyntaxError makes a rawjson fault readable: what is not JSON is
// Unprocessable, with the offset; what is too deep or has too many keys is Invalid.
func SyntaxError(err error) error {
	var syntax *rawjson.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return errdefs.NotJSON(syntax.Offset, syntax.Msg)
	case errors.Is(err, rawjson.ErrDepth):
		return errdefs.Newf(errdefs.Invalid, "The JSON is nested deeper than %d levels.", rawjson.DefaultDepth)
	case errors.Is(err, rawjson.ErrKeys):
		return errdefs.Newf(errdefs.Invalid, "The JSON has more than %d keys.", rawjson.DefaultKeys)
	case errors.Is(err, rawjson.ErrNotObject):
		return Fault("model_attributes_type", []any{"body"}, "Input should be a JSON object", nil)
	}
	return err
}

func missingBody() error { return Fault("missing", []any{"body"}, "Field required", nil) }

// WriteJSON answers with v as compact JSON: no HTML escapes, no trailing newline.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := Marshal(v)
	if err != nil {
		return err
	}
	return WriteBody(w, status, body)
}

// WriteBody answers with ready-made JSON.
func WriteBody(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h["Content-Type"] = jsonType
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

// jsonType is shared between answers; net/http does not change header values.
var jsonType = []string{"application/json"}

// Marshal is json.Marshal without HTML escapes: what people wrote stays readable.
func Marshal(v any) ([]byte, error) {
	if raw, ok := v.(json.RawMessage); ok {
		return raw, nil
	}
	var buf strings.Builder
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(buf.String(), "\n")), nil
}

package chat

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"portico/internal/errdefs"
	"portico/internal/rawjson"
)

// keepBuffer is the largest buffer that is kept for the next request.
const keepBuffer = 1 << 20

func reusable(b []byte) []byte {
	if cap(b) > keepBuffer {
		return nil
	}
	return b[:0]
}

// readBody reads the body of r into buf, or into a buffer of the announced
// length where buf is too small, so that a large body is in memory once.
func readBody(buf []byte, r *http.Request, limit int64) ([]byte, error) {
	n := r.ContentLength
	if n > limit {
		return buf, tooLarge(limit)
	}
	if n >= 0 {
		if int64(cap(buf)) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		_, err := io.ReadFull(r.Body, buf)
		return buf, readError(err)
	}
	body := io.LimitReader(r.Body, limit+1)
	for buf = buf[:0]; ; {
		if len(buf) == cap(buf) {
			buf = append(buf, make([]byte, max(4096, len(buf)))...)[:len(buf)]
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return buf, tooLarge(limit)
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, readError(err)
		}
	}
}

func readError(err error) error {
	if err == nil {
		return nil
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return tooLarge(large.Limit)
	}
	return errdefs.BrokenBody(err)
}

func tooLarge(limit int64) error {
	return errdefs.Newf(errdefs.TooLarge, "The request is larger than the %d MiB that are allowed here.", limit>>20)
}

// parse checks the body, less the mark that some editors put at the beginning
// of a text. What is not JSON is told in FastAPI's shape.
func parse(doc *rawjson.Doc, body []byte) error {
	err := doc.Parse(bytes.TrimPrefix(body, []byte("\ufeff")), rawjson.Limits{})
	if err == nil {
		return nil
	}
	var syntax *rawjson.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return errdefs.NotJSON(syntax.Offset, syntax.Msg)
	case errors.Is(err, rawjson.ErrDepth):
		return errdefs.Newf(errdefs.Invalid, "The body is nested deeper than the %d levels that are allowed.", rawjson.DefaultDepth)
	case errors.Is(err, rawjson.ErrKeys):
		return errdefs.Newf(errdefs.Invalid, "The body has more than the %d keys that are allowed.", rawjson.DefaultKeys)
	}
	return &errdefs.Error{
		Kind:   errdefs.Unprocessable,
		Detail: "The body is not a JSON object.",
		Fields: []errdefs.Field{{Type: "dict_type", Loc: []any{"body"}, Msg: "Input should be a JSON object", Input: nil}},
	}
}

package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/relay"
)

// replyPatience is how long a client may take for a piece of an answer.
const replyPatience = 30 * time.Second

// writeReply answers with a whole body.
func writeReply(w http.ResponseWriter, reply *provider.Reply) error {
	h := w.Header()
	if reply.Status == http.StatusNoContent {
		w.WriteHeader(reply.Status)
		return nil
	}
	h["Content-Type"] = []string{safeType(reply.ContentType)}
	h["Content-Length"] = []string{strconv.Itoa(len(reply.Body))}
	w.WriteHeader(reply.Status)
	return wholeBody(w, reply.Body)
}

// wholeBody writes the body of an answer that may be long.
func wholeBody(w http.ResponseWriter, body []byte) error {
	if err := relay.Whole(w, body, replyPatience); err != nil {
		return errClientLeft(err)
	}
	return nil
}

func errClientLeft(err error) error {
	return errdefs.New(errdefs.Invalid, "The client takes no more.").WithStatus(provider.StatusClientGone).WithCause(errors.Join(relay.ErrClientGone, err))
}

// writeMedia answers with what is neither JSON nor a stream of events or
// lines, as it arrives. Nothing can be told within it, so where it breaks off,
// the connection does.
func writeMedia(w http.ResponseWriter, reply *provider.Reply) error {
	defer reply.Stream.Close()
	rc := http.NewResponseController(w)
	for begun := false; ; {
		block, err := reply.Stream.Next()
		over := errors.Is(err, io.EOF)
		if err != nil && !over {
			if begun {
				breakOff(rc)
			}
			return err
		}
		if !begun {
			h := w.Header()
			h["Content-Type"] = []string{safeType(reply.ContentType)}
			for _, line := range reply.Header {
				h.Set(line[0], line[1])
			}
			w.WriteHeader(reply.Status)
			begun = true
		}
		_ = rc.SetWriteDeadline(time.Now().Add(replyPatience)) // where there is none to set, none is needed
		if _, err := w.Write(block); err != nil {
			return errClientLeft(err)
		}
		if over {
			_ = rc.SetWriteDeadline(time.Time{})
			return nil
		}
		if err := rc.Flush(); err != nil {
			return errClientLeft(err)
		}
	}
}

// breakOff ends the connection, so that the client sees that the answer is not
// whole.
func breakOff(rc *http.ResponseController) {
	conn, _, err := rc.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = conn.Close()
}

// safeType is the type of a provider's answer as it is told to the client.
// What a browser would run, under the address of this server, is but bytes.
func safeType(kind string) string {
	media, _, err := mime.ParseMediaType(kind)
	top, _, _ := strings.Cut(media, "/")
	switch {
	case kind == "", media == "application/json":
		return "application/json"
	case err != nil:
	case media == "text/plain", media == "text/event-stream", media == "application/x-ndjson", media == "application/jsonl",
		top == "audio", top == "video", top == "image" && media != "image/svg+xml":
		return kind
	}
	return "application/octet-stream"
}

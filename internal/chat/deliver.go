package chat

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/relay"
	"portico/internal/usage"
)

// deliver hands the answer to the client.
func (t *turn) deliver() error {
	if t.reply.Stream != nil {
		return t.stream()
	}
	if t.cites != nil && t.reply.Status < 300 {
		t.reply.Body = t.cites.inAnswer(t.reply.Body)
	}
	err := writeWhole(t.w, t.reply, t.s.cfg.WriteTimeout)
	t.backend(nil) // the upstream did its part, whatever became of the client
	return err
}

// stream hands the stream to the relay, which may keep it after the handler
// has returned.
func (t *turn) stream() error {
	d := &delivery{s: t.s, stream: t.reply.Stream, key: t.usageKey(), backend: t.backend, release: t.reply.Release, saved: t.saved}
	t.kept = true
	source := t.reply.Stream
	if t.saved != nil {
		source = &tap{Stream: source, v: t.saved}
	}
	if t.cites != nil && len(t.cites.members) > 0 {
		source = &cited{Stream: source, first: t.cites.event(t.RequestID, t.target.ID, t.s.cfg.Now())}
	}
	head := relay.Head{Status: t.reply.Status, ContentType: t.reply.ContentType, Header: t.reply.Header}
	return relay.Send(t.w, t.r, head, source, relay.Options{
		Life:         t.life,
		WriteTimeout: t.s.cfg.WriteTimeout,
		Error:        streamError(t.StreamError),
		Done:         d.done,
	})
}

var errShutdown = errdefs.New(errdefs.Unavailable, "The server is going away for a moment. Ask again.")

// streamError renders a failure in mid-stream. That the server itself ended
// the stream looks like a broken upstream from here, and must not be told so.
func streamError(render func(error) []byte) func(error) []byte {
	if render == nil {
		return nil
	}
	return func(err error) []byte {
		if errors.Is(err, relay.ErrShutdown) {
			err = errShutdown
		}
		return render(err)
	}
}

// delivery is what a stream needs at its end.
type delivery struct {
	s       *Service
	stream  provider.Stream
	key     usage.Key
	backend func(error)
	release func()
	saved   *saving // nil unless it belongs into a saved chat
}

// done records a stream that is over. A client that left is not a failure of
// the upstream.
func (d *delivery) done(end relay.End) {
	cost := d.stream.Usage()
	gone := errors.Is(end.Err, relay.ErrClientGone)
	d.s.usage.Add(d.key, end.Err != nil && !gone, cost.Prompt, cost.Completion)
	d.backend(end.Err)
	if d.release != nil {
		d.release()
	}
	d.s.streams.Add(-1)
	if d.saved != nil {
		d.saved.end(cost, end.Err)
	}
}

// writeWhole writes an answer that is not streamed.
func writeWhole(w http.ResponseWriter, reply *provider.Reply, timeout time.Duration) error {
	h := w.Header()
	for _, line := range reply.Header {
		h[line[0]] = []string{line[1]}
	}
	h["Content-Type"] = contentType(reply.ContentType)
	h["Content-Length"] = []string{strconv.Itoa(len(reply.Body))}
	w.WriteHeader(reply.Status)
	return written(relay.Whole(w, reply.Body, timeout))
}

// written makes a failed write the error of a client that left.
func written(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(relay.ErrClientGone, err)
}

var jsonType = []string{"application/json"}

func contentType(s string) []string {
	if s == jsonType[0] {
		return jsonType
	}
	return []string{s}
}

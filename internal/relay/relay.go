// Package relay carries a stream of ready-made blocks from an upstream to the
// client: head first, a flush per block, a deadline on every write, the
// upstream stopped the moment the client is gone. A stream that lives long is
// parked: taken out of net/http's hands, so that it costs a few KiB instead of
// tens, and its connection handed back to the server when the answer ends.
// It knows nothing of what the blocks say.
//
// # How to use it
//
// The request's own context ends when its handler returns, and a parked stream
// outlives its handler. A handler that streams therefore does this:
//
//	life, cancel := relay.Context(r) // instead of r.Context()
//	defer cancel()                   // does nothing once the stream is parked
//	reply, err := provider.Chat(life, …)
//	if err != nil {
//		return err
//	}
//	return relay.Send(w, r, head, reply.Stream, relay.Options{
//		Life:  life,
//		Error: func(err error) []byte { … },
//		Done:  func(end relay.End) { count usage, give back what the stream held },
//	})
//
// Send owns the source from then on: it closes it exactly once, in every case,
// and then calls Done exactly once. Both may happen before Send returns or, if
// the stream was parked, later and on another goroutine. Nothing that Error,
// Done or the source use may therefore belong to the handler: not the
// route.Call, not r, not a pooled buffer (give those back in Done).
//
// An error that Send returns means that not a byte was sent, and the caller
// answers with a status. Everything later is told in the stream itself, by
// Options.Error, and to Done; Send then returns nil.
//
// The server listens through a Listener and sets its ConnContext; without that
// nothing is parked and all else holds.
package relay

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// Source yields the blocks of one answer. provider.Stream is one.
type Source interface {
	// Next blocks for the next block, which is valid until the next call.
	// io.EOF is a good end; a block may come with it.
	Next() ([]byte, error)
	// Close releases the upstream. It is called once, not concurrently with
	// Next; to interrupt Next, Send ends the Life.
	Close() error
}

// Waiter is a Source that can wait without holding a buffer. Parked streams
// without it keep what Next keeps.
type Waiter interface {
	// Wait blocks until Next would not.
	Wait() error
}

// PatientWaiter is a Source that can stop waiting. With it a stream is parked
// even if it never says a word; without it, only between two blocks.
type PatientWaiter interface {
	// WaitUntil is Wait until a time; it gives false if that came first. The
	// zero time is no limit. hop.Response has it.
	WaitUntil(time.Time) (ready bool, err error)
}

// Head is what is sent before the first block.
type Head struct {
	Status      int // 0 is 200
	ContentType string
	Header      [][2]string
}

// Options say how a stream is carried. Zero fields take the defaults.
type Options struct {
	// Life is the context that the upstream's call runs under, from Context.
	// Without it nothing is parked and the source must end by itself when the
	// client leaves.
	Life *Life
	// WriteTimeout is how long a client may refuse to take a block (30 s).
	WriteTimeout time.Duration
	// ParkAfter is how long a stream stays with net/http (1 s); negative is
	// for ever.
	ParkAfter time.Duration
	// Error renders a failure in mid-stream in the route's dialect: whole
	// events or lines. Nil sends nothing.
	Error func(error) []byte
	// Done is told how the stream ended, parked or not: once, at its real end.
	Done func(End)
}

// End is how a stream ended.
type End struct {
	Err   error         // nil is well; ErrClientGone is a client that left or stopped reading
	Bytes int64         // of the body, as handed to the client's connection
	Took  time.Duration // since Send was called
}

// Witness is a middleware's ResponseWriter, found by Unwrap, that wants to know
// what was sent. Send writes past it, straight to the connection, and goes on
// when the handler has left: so it calls Past, once, within the handler, and
// what that gives at the stream's end, after Options.Done. Where nothing is
// written past it, it is not asked.
type Witness interface {
	Past() func(End)
}

// Life is the context of an upstream call whose answer may outlive its
// handler. It holds the request's values and ends when the client leaves,
// whoever watches the connection at that time.
type Life struct {
	context.Context
	cancel context.CancelCauseFunc
	unhook func() bool // from the request's own context
	parked atomic.Bool
}

// Context makes the Life of a request. The returned function ends it, unless
// the stream was parked; call it when the handler returns.
func Context(r *http.Request) (*Life, context.CancelFunc) {
	l := &Life{}
	l.Context, l.cancel = context.WithCancelCause(context.WithoutCancel(r.Context()))
	l.unhook = context.AfterFunc(r.Context(), func() { l.cancel(ErrClientGone) })
	return l, l.leave
}

// leave is the handler's end of the life.
func (l *Life) leave() {
	if !l.parked.Load() {
		l.end(context.Canceled)
	}
}

func (l *Life) end(cause error) {
	l.unhook()
	l.cancel(cause)
}

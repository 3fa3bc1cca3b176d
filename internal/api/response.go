package api

import (
	"bufio"
	"net"
	"net/http"
	"strconv"
	"time"

	"portico/internal/api/route"
	"portico/internal/relay"
)

// response notes what is sent, so that an error after the head is not
// rendered twice and the answer can be counted. http.ResponseController sees
// through it.
type response struct {
	http.ResponseWriter
	began    time.Time
	status   int           // 0 until the head is sent
	first    time.Duration // from began to the head
	bytes    int64
	hijacked bool
	edge     *edge
	call     *route.Call // of the same exchange
	past     bool        // the answer is a stream that tells its end itself
}

// Answered is what became of a request.
type Answered struct {
	Status int
	Bytes  int64         // of the body
	First  time.Duration // until the head was sent, which for a stream is its first block
	Took   time.Duration // until the last byte
}

func (w *response) answered(bytes int64) Answered {
	return Answered{Status: w.status, Bytes: bytes, First: w.first, Took: time.Since(w.began)}
}

// begun reports whether it is too late for another answer.
func (w *response) begun() bool { return w.status != 0 || w.hijacked }

// quick is the usual value of X-Process-Time, which is in whole seconds.
var quick = []string{"0"}

func (w *response) WriteHeader(status int) {
	if status >= 200 && w.status == 0 {
		w.status = status
		took := quick
		w.first = time.Since(w.began)
		if s := int64(w.first / time.Second); s > 0 {
			took = []string{strconv.FormatInt(s, 10)}
		}
		w.Header()["X-Process-Time"] = took
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// FlushError sends what was written so far.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for those who ask for an http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// Hijack takes the connection out of net/http's hands.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.hijacked = true
	}
	return conn, rw, err
}

// Past is for relay, which writes streams past us and may go on when the
// exchange has been given back: who observes is told at the answer's real end.
func (w *response) Past() func(relay.End) {
	w.past = true
	if w.edge.observe == nil {
		return nil
	}
	observe, call, began, a := w.edge.observe, *w.call, w.began, w.answered(0)
	return func(end relay.End) {
		a.Took, a.Bytes = time.Since(began), end.Bytes
		observe(&call, a)
	}
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

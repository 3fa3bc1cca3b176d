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
	status   int // 0 until the head is sent
	bytes    int64
	hijacked bool
	edge     *edge       // told of the real end of a parked stream
	call     *route.Call // of the same exchange
	parked   bool        // somebody else tells how it ended
}

// begun reports whether it is too late for another answer.
func (w *response) begun() bool { return w.status != 0 || w.hijacked }

// quick is the usual value of X-Process-Time, which is in whole seconds.
var quick = []string{"0"}

func (w *response) WriteHeader(status int) {
	if status >= 200 && w.status == 0 {
		w.status = status
		took := quick
		if s := int64(time.Since(w.began) / time.Second); s > 0 {
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

// Parked is for relay: the exchange is given back when the handler returns, and
// who observes is told at the answer's real end what it was.
func (w *response) Parked() func(relay.End) {
	w.parked = true
	if w.edge.observe == nil {
		return nil
	}
	observe, call, status, began := w.edge.observe, *w.call, w.status, w.began
	return func(end relay.End) { observe(&call, status, time.Since(began), end.Bytes) }
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

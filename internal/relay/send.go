package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// ErrClientGone says that the client left, or did not read for too long.
var ErrClientGone = fmt.Errorf("relay: the client is gone: %w", context.Canceled)

const (
	defaultWriteTimeout = 30 * time.Second
	defaultParkAfter    = time.Second
	// deadlineSlack is the part of WriteTimeout by which the deadline of a
	// write may be short, so that not every block moves a timer.
	deadlineSlack = 16
)

// Send carries src to the client; see the package's documentation.
func Send(w http.ResponseWriter, r *http.Request, head Head, src Source, opt Options) error {
	s := stream{src: src, opt: opt, began: time.Now(), events: strings.HasPrefix(head.ContentType, "text/event-stream")}
	if s.opt.WriteTimeout <= 0 {
		s.opt.WriteTimeout = defaultWriteTimeout
	}
	if s.opt.ParkAfter == 0 {
		s.opt.ParkAfter = defaultParkAfter
	}
	s.waiter, _ = src.(Waiter)
	s.patient, _ = src.(PatientWaiter)
	return s.serve(w, r, head)
}

// stream is one answer on its way.
type stream struct {
	src     Source
	waiter  Waiter
	patient PatientWaiter
	opt     Options
	events  bool
	began   time.Time
	sent    int64     // bytes of the body
	left    func(End) // what a Witness wants called
}

// serve carries the stream within its handler, until it ends or is parked.
func (s *stream) serve(w http.ResponseWriter, r *http.Request, head Head) error {
	out := responder{w: w, line: line{timeout: s.opt.WriteTimeout}}
	conn, _ := r.Context().Value(connKey{}).(*Conn)
	parking := conn != nil && s.parking(r)
	parkAt := s.began.Add(s.opt.ParkAfter)
	for sent := false; ; {
		ready := true
		if parking && s.patient != nil {
			var err error
			if ready, err = s.patient.WaitUntil(parkAt); err != nil {
				ready = true // Next says it better
			}
		}
		var block []byte
		var err error
		if ready {
			block, err = s.src.Next()
		}
		if !sent && err != nil && err != io.EOF {
			s.close(s.cause(err))
			return err
		}
		if !sent {
			writeHead(w, head, s.events)
			sent = true
			if out.open(w, r, conn) {
				s.past(w)
			}
		}
		if len(block) > 0 || !ready {
			if werr := out.send(block, err == io.EOF); werr != nil {
				s.close(ErrClientGone)
				return nil
			}
			s.sent += int64(len(block))
			runtime.Gosched()
		}
		switch {
		case err == io.EOF:
			s.close(nil)
			return nil
		case err != nil:
			if err = s.cause(err); err != ErrClientGone {
				if last := s.last(err); out.send(last, true) == nil {
					s.sent += int64(len(last))
				}
			}
			s.close(err)
			return nil
		case parking && !time.Now().Before(parkAt):
			if s.park(&out, r, conn) {
				return nil
			}
			parking = false
		}
	}
}

// writeHead fills in the answer's head.
func writeHead(w http.ResponseWriter, head Head, events bool) {
	h := w.Header()
	for _, line := range head.Header {
		h.Set(line[0], line[1])
	}
	if head.ContentType != "" {
		h["Content-Type"] = contentType(head.ContentType)
	}
	if events {
		h["Cache-Control"] = []string{"no-cache"}
		h["X-Accel-Buffering"] = []string{"no"}
	}
	if head.Status == 0 {
		head.Status = http.StatusOK
	}
	w.WriteHeader(head.Status)
}

// cause is ErrClientGone if that is why the source failed.
func (s *stream) cause(err error) error {
	if s.opt.Life != nil && context.Cause(s.opt.Life) == ErrClientGone {
		return ErrClientGone
	}
	return err
}

// last gives the final bytes of a stream that broke off.
func (s *stream) last(err error) []byte {
	var b []byte
	if s.opt.Error != nil {
		b = s.opt.Error(err)
	}
	if s.events {
		b = append(b[:len(b):len(b)], "data: [DONE]\n\n"...)
	}
	return b
}

// close ends the upstream's side, once.
func (s *stream) close(err error) {
	if life := s.opt.Life; life != nil && errors.Is(err, ErrClientGone) {
		life.end(ErrClientGone)
	}
	s.src.Close()
	end := End{Err: err, Bytes: s.sent, Took: time.Since(s.began)}
	if s.opt.Done != nil {
		s.opt.Done(end)
	}
	if s.left != nil {
		s.left(end)
	}
}

// past asks who stands between Send and net/http what to call at the end.
func (s *stream) past(w http.ResponseWriter) {
	for w != nil {
		if by, ok := w.(Witness); ok {
			s.left = by.Past()
			return
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = inner.Unwrap()
	}
}

// responder writes to a client that net/http still holds: past net/http where
// that may be, else through it.
type responder struct {
	line
	w http.ResponseWriter
}

func (o *responder) send(block []byte, last bool) error {
	if o.conn != nil {
		err := o.line.send(block, last)
		if err != nil {
			o.conn.Close() // net/http must not end well what is broken
		}
		return err
	}
	rc := http.NewResponseController(o.w)
	if now := time.Now(); o.by.Sub(now) < o.timeout-o.timeout/deadlineSlack {
		o.by = now.Add(o.timeout)
		if err := rc.SetWriteDeadline(o.by); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	if _, err := o.w.Write(block); err != nil || last {
		return err
	}
	return rc.Flush()
}

// contentType is how a type is told. Events are UTF-8 by their standard; clients
// that take every text for Latin-1 read them rightly only where that is said.
func contentType(kind string) []string {
	if kind == "text/event-stream" {
		kind = "text/event-stream; charset=utf-8"
	}
	return []string{kind}
}

package telemetry

import (
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Request is one answered request. Route is the pattern, not the path, so that
// ids in paths stay out of logs and metrics.
type Request struct {
	Method, Route string
	Status        int
	Bytes         int64
	Took          time.Duration // until the last byte, also of a stream that was parked
	First         time.Duration // until the first byte
	Streams       bool          // the route's answers come in pieces
	UserID        string
	RequestID     string
}

// RequestLog writes a line for each answered request, in the form that
// NewLogger's lines have. It is apart from slog because it is on the path of
// every request: it allocates nothing.
type RequestLog struct {
	out  io.Writer
	json bool
	now  func() time.Time
	pool sync.Pool // of *[]byte
}

// NewRequestLog logs requests to w.
func NewRequestLog(w io.Writer, json bool) *RequestLog {
	return &RequestLog{out: w, json: json, now: time.Now, pool: sync.Pool{New: func() any { return new([]byte) }}}
}

// Add writes the line of r, unless r is one of the probes by which the server
// is watched. A nil RequestLog writes nothing.
func (l *RequestLog) Add(r *Request) {
	if l == nil || strings.HasPrefix(r.Route, "/health") || r.Route == "/ready" {
		return
	}
	buf := l.pool.Get().(*[]byte)
	b := (*buf)[:0]
	if l.json {
		b = r.appendJSON(b, l.now())
	} else {
		b = r.appendText(b, l.now())
	}
	_, _ = l.out.Write(b) // a Writer counts what it drops
	*buf = b
	l.pool.Put(buf)
}

const stamp = "2006-01-02T15:04:05.000Z07:00"

func (r *Request) appendJSON(b []byte, now time.Time) []byte {
	b = append(b, `{"time":"`...)
	b = now.AppendFormat(b, stamp)
	b = append(b, `","level":"INFO","msg":"request","method":"`...)
	b = appendPlain(b, r.Method)
	b = append(b, `","route":"`...)
	b = appendPlain(b, r.Route)
	b = append(b, `","status":`...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, `,"ms":`...)
	b = appendMillis(b, r.Took)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, r.Bytes, 10)
	b = append(b, `,"user":"`...)
	b = appendPlain(b, r.UserID)
	b = append(b, `","request_id":"`...)
	b = appendPlain(b, r.RequestID)
	return append(b, "\"}\n"...)
}

func (r *Request) appendText(b []byte, now time.Time) []byte {
	b = append(b, "time="...)
	b = now.AppendFormat(b, stamp)
	b = append(b, " level=INFO msg=request method="...)
	b = appendPlain(b, r.Method)
	b = append(b, " route="...)
	b = appendPlain(b, r.Route)
	b = append(b, " status="...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, " ms="...)
	b = appendMillis(b, r.Took)
	b = append(b, " bytes="...)
	b = strconv.AppendInt(b, r.Bytes, 10)
	b = append(b, " user="...)
	b = appendPlain(b, r.UserID)
	b = append(b, " request_id="...)
	b = appendPlain(b, r.RequestID)
	return append(b, '\n')
}

func appendMillis(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(d.Microseconds())/1000, 'f', -1, 64)
}

// appendPlain writes what ids and routes are made of. Anything that could end
// a string or a line becomes "?": it has no business in them.
func appendPlain(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c > ' ' && c < 0x7f && c != '"' && c != '\\' {
			b = append(b, c)
		} else {
			b = append(b, '?')
		}
	}
	return b
}

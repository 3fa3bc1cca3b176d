package server

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"

	"portico/internal/api"
	"portico/internal/api/route"
	"portico/internal/provider"
	"portico/internal/telemetry"
	"portico/internal/usage"
)

// observe counts a request and writes its line in the log, at the real end of
// its answer.
func (s *Server) observe(c *route.Call, a api.Answered) {
	r := telemetry.Request{Route: "(none)", Status: a.Status, Took: a.Took, First: a.First, Bytes: a.Bytes, RequestID: c.RequestID}
	if c.Route != nil {
		r.Method, r.Route, r.Streams = c.Route.Method, c.Route.Path, streams(c.Route)
		if c.Route.Op == signIn {
			s.metrics.Counter(loginsBy(a.Status)).Inc()
		}
	}
	if c.Who != nil {
		r.UserID = c.Who.UserID
	}
	s.metrics.Observe(&r)
	s.requests.Add(&r)
}

// signIn is the route whose answers tell how logins end.
const signIn = "sign_in"

// streams reports whether answers of a route may come in pieces.
func streams(r *route.Route) bool {
	return strings.Contains(r.Produces, "event-stream") || strings.Contains(r.Produces, "ndjson")
}

// loginsBy names the counter of logins that ended with a status.
func loginsBy(status int) string {
	switch {
	case status < 300:
		return `portico_logins_total{result="in"}`
	case status == http.StatusTooManyRequests:
		return `portico_logins_total{result="too_many"}`
	case status < 500:
		return `portico_logins_total{result="refused"}`
	}
	return `portico_logins_total{result="failed"}`
}

// gauges shows what the rooms know of themselves.
func (s *Server) gauges() {
	for name, f := range map[string]func() float64{
		"portico_requests_open":  func() float64 { return float64(s.gate.open.Load()) },
		"portico_streams_parked": func() float64 { return float64(s.parked()) },
		"portico_streams_open":   func() float64 { return float64(s.streams()) },
		`portico_tokens_total{kind="prompt"}`: func() float64 {
			return s.spent(func(c usage.Count) int64 { return c.Prompt })
		},
		`portico_tokens_total{kind="completion"}`: func() float64 {
			return s.spent(func(c usage.Count) int64 { return c.Completion })
		},
		"portico_model_calls_total":  func() float64 { return s.spent(func(c usage.Count) int64 { return c.Requests }) },
		"portico_model_errors_total": func() float64 { return s.spent(func(c usage.Count) int64 { return c.Errors }) },
		`portico_key_lookups_total{found="memory"}`: func() float64 {
			hits, _ := s.Auth.KeyLookups()
			return float64(hits)
		},
		`portico_key_lookups_total{found="database"}`: func() float64 {
			_, misses := s.Auth.KeyLookups()
			return float64(misses)
		},
		"portico_db_statements_total":     func() float64 { return float64(s.DB.Statements()) },
		"portico_log_lines_dropped_total": func() float64 { return float64(s.lines.Dropped()) },
		"portico_goroutines":              func() float64 { return float64(runtime.NumGoroutine()) },
		"portico_ready": func() float64 {
			if len(s.gate.reasons()) > 0 {
				return 0
			}
			return 1
		},
	} {
		s.metrics.Gauge(name, f)
	}
	s.metrics.Write(s.writeUpstreams)
}

// writeUpstreams tells of each connection, by its place in the settings: an
// address may hold what is nobody's business.
func (s *Server) writeUpstreams(w io.Writer) {
	for _, kind := range []provider.Kind{provider.OpenAI, provider.Ollama} {
		for _, b := range s.models.Backends(kind) {
			labels := fmt.Sprintf(`{kind=%q,index="%d"}`, b.Kind, b.Index)
			_, _ = fmt.Fprintf(w, "portico_upstream_failures_total%s %d\nportico_upstream_calls_open%s %d\n",
				labels, b.Outages.Load(), labels, b.Busy.Load())
		}
	}
}

// spent sums what answers cost over people and models.
func (s *Server) spent(of func(usage.Count) int64) float64 {
	var sum int64
	for _, c := range s.usage.Snapshot() {
		sum += of(c)
	}
	return float64(sum)
}

// parked is the number of streams that net/http knows nothing of any more.
func (s *Server) parked() int64 {
	if s.listener == nil {
		return 0
	}
	return int64(s.listener.Parked())
}

// metricsHandler serves the side listener.
func (s *Server) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	return mux
}

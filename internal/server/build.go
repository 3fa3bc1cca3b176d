package server

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"time"

	"portico/internal/api"
	"portico/internal/api/route"
	"portico/internal/chat"
	"portico/internal/config"
	"portico/internal/model"
	"portico/internal/telemetry"
	"portico/internal/usage"
)

// build makes the rooms of a running server and its handler.
func (s *Server) build(ctx context.Context) (http.Handler, error) {
	up := newUpstreams(s.cfg, s.Settings, s.log)
	var err error
	s.models, err = model.New(ctx, model.Config{
		Settings: s.Settings, Rows: s.DB, Grants: s.DB, Bus: s.Bus, Policy: policy(s.cfg),
		Connect:     up.connect,
		ListTimeout: s.cfg.UpstreamList,
		Log:         s.log,
	})
	if err != nil {
		return nil, err
	}
	limit := OpenFiles()
	if s.cfg.MaxStreams == 0 {
		s.cfg.MaxStreams = limit / 3 // one for the client, one for the upstream, one to spare
	}
	s.usage = usage.New()
	s.chat = chat.New(s.models, s.usage, chat.Config{Streams: s.cfg.MaxStreams})
	edge := &api.API{
		Auth:      s.Auth,
		Users:     s.DB,
		Settings:  s.Settings,
		Models:    s.models,
		ModelRows: s.DB,
		Grants:    s.DB,
		Chat:      s.chat,
		Ollama: api.Ollama{
			Connect: up.connect,
			Fetch:   newFetcher().fetch,
			Usage:   s.usage,
		},
		Config: api.Config{
			Version:      config.Version,
			Dev:          s.cfg.Dev(),
			NoAuth:       !s.cfg.Auth,
			TrustedProxy: s.cfg.Trusted.Email != "",
			CORSOrigins:  s.cfg.CORSOrigins,
		},
		Log:  s.log,
		Ping: s.DB.Ping,
	}
	s.gate = &gate{refuse: http.HandlerFunc(refuse)}
	edge.NotReady = s.gate.reasons
	edge.Observe = s.observe
	handler, err := edge.NewHandler()
	if err != nil {
		return nil, err
	}
	s.gate.next = handler
	s.gauges()
	return s.gate, nil
}

// observe counts an answered request and writes its line in the log.
func (s *Server) observe(c *route.Call, status int, took time.Duration, bytes int64) {
	r := telemetry.Request{Route: "(none)", Status: status, Took: took, Bytes: bytes, RequestID: c.RequestID}
	if c.Route != nil {
		r.Method, r.Route = c.Route.Method, c.Route.Path
	}
	if c.Who != nil {
		r.UserID = c.Who.UserID
	}
	s.metrics.Observe(&r)
	s.requests.Add(&r)
}

// gauges shows what the rooms know of themselves.
func (s *Server) gauges() {
	s.metrics.Gauge("portico_requests_open", func() float64 { return float64(s.gate.open.Load()) })
	s.metrics.Gauge("portico_streams_parked", func() float64 { return float64(s.parked()) })
	s.metrics.Gauge("portico_streams_open", func() float64 { return float64(s.chat.Streams()) })
	s.metrics.Gauge(`portico_tokens_total{kind="prompt"}`, func() float64 { return s.spent(func(c usage.Count) int64 { return c.Prompt }) })
	s.metrics.Gauge(`portico_tokens_total{kind="completion"}`, func() float64 { return s.spent(func(c usage.Count) int64 { return c.Completion }) })
	s.metrics.Gauge("portico_model_calls_total", func() float64 { return s.spent(func(c usage.Count) int64 { return c.Requests }) })
	s.metrics.Gauge("portico_model_errors_total", func() float64 { return s.spent(func(c usage.Count) int64 { return c.Errors }) })
	s.metrics.Gauge("portico_db_statements_total", func() float64 { return float64(s.DB.Statements()) })
	s.metrics.Gauge("portico_log_lines_dropped_total", func() float64 { return float64(s.lines.Dropped()) })
	s.metrics.Gauge("portico_goroutines", func() float64 { return float64(runtime.NumGoroutine()) })
	s.metrics.Gauge("portico_ready", func() float64 {
		if len(s.gate.reasons()) > 0 {
			return 0
		}
		return 1
	})
}

// spent sums what answers cost over people and models.
func (s *Server) spent(of func(usage.Count) int64) float64 {
	var sum int64
	for _, c := range s.usage.Snapshot() {
		sum += of(c)
	}
	return float64(sum)
}

// metricsHandler serves the side listener.
func (s *Server) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	return mux
}

// refuse answers new requests while the server drains. It has all three
// dialects of errors at once, for it stands before the route is known.
func refuse(w http.ResponseWriter, _ *http.Request) {
	const sentence = "The server is stopping. Try again in a moment."
	b, _ := json.Marshal(map[string]any{"detail": sentence, "error": map[string]string{"message": sentence, "type": "unavailable"}})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write(b)
}

// parked is the number of streams that net/http knows nothing of any more.
func (s *Server) parked() int64 {
	if s.listener == nil {
		return 0
	}
	return int64(s.listener.Parked())
}

// closeBuilt lets go of what build made.
func (s *Server) closeBuilt() {
	if s.models != nil {
		s.models.Close()
	}
}

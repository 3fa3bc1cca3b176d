// Package server is the composition root: it builds every room from the
// configuration, listens, drains and stops. It alone imports adapters.
//
//	config ─→ Open: store → settings → auth        (also for the command's verbs)
//	       ─→ New:  → models → chat → api → listen
//	       ─→ Run:  serve … signal … drain … close
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"portico/internal/chat"
	"portico/internal/config"
	"portico/internal/conversation"
	"portico/internal/model"
	"portico/internal/relay"
	"portico/internal/store"
	"portico/internal/telemetry"
	"portico/internal/usage"
)

// The limits of a connection, which hold before any route is known.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 75 * time.Second
	maxHeaderBytes    = 32 << 10
	// logBuffer is how many bytes of log may wait for a slow reader.
	logBuffer = 1 << 20
	// lastWords is how long streams that were cut off have to say so.
	lastWords = time.Second
)

// Server is a whole Portico: every room, built and connected.
type Server struct {
	*Rooms
	cfg           *config.Config
	log           *slog.Logger
	lines         *telemetry.Writer
	requests      *telemetry.RequestLog // nil when the level hides them
	metrics       *telemetry.Metrics
	models        *model.Registry
	usage         *usage.Recorder
	chat          *chat.Service
	conversations *conversation.Service
	documents     *documents
	streams       func() int64 // open at all doors
	gate          *gate
	listener      *relay.Listener
	scrape        net.Listener // nil without METRICS_ADDR
	http          *http.Server
	began         time.Time
}

// New builds a server and binds its addresses, but answers nothing yet. The
// caller must call Run or Close.
func New(ctx context.Context, cfg *config.Config) (_ *Server, err error) {
	s := &Server{cfg: cfg, metrics: telemetry.NewMetrics(), began: time.Now()}
	s.openLog()
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.Rooms, err = open(ctx, cfg, s.log, store.Options{}); err != nil {
		return nil, err
	}
	handler, err := s.build(ctx)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", cfg.Address())
	if err != nil {
		return nil, fmt.Errorf("the address %s cannot be listened on; is another server there, or is PORT wrong? %w", cfg.Address(), err)
	}
	s.listener = relay.NewListener(l)
	if cfg.MetricsAddr != "" {
		if s.scrape, err = net.Listen("tcp", cfg.MetricsAddr); err != nil {
			return nil, fmt.Errorf("METRICS_ADDR %s cannot be listened on: %w", cfg.MetricsAddr, err)
		}
	}
	s.http = &http.Server{
		Handler: handler,
		// OPTIONS * is for the edge, like everything else.
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            readHeaderTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		ConnContext:                  s.listener.ConnContext,
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// openLog makes the log that the configuration asks for. Lines are written by
// a goroutine of their own, so that nobody waits for a terminal.
func (s *Server) openLog() {
	out := s.cfg.LogTo
	if out == nil {
		out = os.Stderr
	}
	asJSON := s.cfg.LogFormat == "json" || s.cfg.LogFormat == "auto" && !isTerminal(out)
	level := telemetry.Level(s.cfg.LogLevel)
	s.lines = telemetry.NewWriter(out, logBuffer)
	s.log = telemetry.NewLogger(s.lines, asJSON, level)
	if level <= slog.LevelInfo {
		s.requests = telemetry.NewRequestLog(s.lines, asJSON)
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}

// Addr is where the server listens, with the port that it really has.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// MetricsAddr is where /metrics is served, or nil.
func (s *Server) MetricsAddr() net.Addr {
	if s.scrape == nil {
		return nil
	}
	return s.scrape.Addr()
}

// Run serves until ctx ends, then drains: /ready says so at once, new requests
// are turned away, open streams have until SHUTDOWN_TIMEOUT to end and are
// then told why they end. It closes the server before it returns.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	base, cut := context.WithCancel(context.Background())
	defer cut()
	s.http.BaseContext = func(net.Listener) context.Context { return base }
	failed := make(chan error, 2)
	go func() { failed <- s.http.Serve(s.listener) }()
	if s.scrape != nil {
		side := &http.Server{Handler: s.metricsHandler(), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout}
		defer side.Close()
		go func() { failed <- side.Serve(s.scrape) }()
	}
	var tidied sync.WaitGroup
	defer tidied.Wait()
	idle, rest := context.WithCancel(ctx)
	defer rest()
	tidied.Go(func() { s.tidy(idle, quietFor) })
	s.gate.state.Store(int32(ready))
	for _, w := range s.cfg.Warnings() {
		s.log.Warn(w)
	}
	s.log.Info("serving", "address", s.Addr().String(), "start_ms", time.Since(s.began).Milliseconds(), "version", config.Version)
	select {
	case err := <-failed:
		return fmt.Errorf("the server stopped by itself: %w", err)
	case <-ctx.Done():
	}
	return s.drain(cut)
}

// drain ends a server that was asked to stop. cut cancels what is in work.
func (s *Server) drain(cut context.CancelFunc) error {
	s.gate.state.Store(int32(draining))
	s.log.Info("stopping", "open", s.inWork(), "timeout", s.cfg.ShutdownTimeout.String())
	limit, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer cancel()
	wait(limit, s.inWork)
	if n := s.inWork(); n > 0 {
		s.log.Warn("streams were cut off", "open", n)
		_ = s.listener.Drain(limit) // tells the parked ones, whose time is over
		cut()
		last, cancel := context.WithTimeout(context.Background(), lastWords)
		defer cancel()
		wait(last, s.inWork)
	}
	end, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if err := s.http.Shutdown(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	_ = s.http.Close()
	s.log.Info("stopped")
	return nil
}

// inWork is the number of requests and parked streams that are not over.
func (s *Server) inWork() int64 { return s.gate.open.Load() + s.parked() }

// Close lets go of everything at once. It may be called more than once.
func (s *Server) Close() {
	if s.listener != nil {
		_ = s.listener.Close()
	}
	if s.scrape != nil {
		_ = s.scrape.Close()
	}
	s.closeBuilt()
	if s.Rooms != nil {
		s.Rooms.Close()
	}
	_ = s.lines.Close()
}

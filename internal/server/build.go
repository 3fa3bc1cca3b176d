package server

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"portico/internal/api"
	"portico/internal/chat"
	"portico/internal/config"
	"portico/internal/conversation"
	"portico/internal/model"
	"portico/internal/provider/quote"
	"portico/internal/setting"
	"portico/internal/usage"
)

// build makes the rooms of a running server and its handler.
func (s *Server) build(ctx context.Context) (http.Handler, error) {
	up := newUpstreams(s.cfg, s.Settings, s.log)
	var err error
	s.models, err = model.New(ctx, model.Config{
		Settings: s.Settings, Rows: s.DB, Grants: s.DB, Bus: s.Bus, Policy: policy(s.cfg),
		Connect:     up.connect,
		Fallback:    quote.Backend(),
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
	temp, err := tempDir(s.cfg.DataDir)
	if err != nil {
		return nil, err
	}
	if err := s.openDocuments(ctx, temp); err != nil {
		return nil, err
	}
	s.conversations = conversation.New(conversation.Config{
		Store: s.DB, Grants: s.DB, NewID: uuid.NewString,
		AdminsRead: func() bool { return setting.Get(s.Settings, setting.EnableAdminChatAccess) },
	})
	s.usage = usage.New()
	s.chat = chat.New(s.models, s.usage, chat.Config{
		Streams: s.cfg.MaxStreams, WriteTimeout: s.cfg.ClientWrite,
		Gatherer: s.documents.retrieval, Grounding: s.grounding,
		Keeper: s.conversations, Log: s.log,
	})
	edge := &api.API{
		Auth:          s.Auth,
		Users:         s.DB,
		Settings:      s.Settings,
		Models:        s.models,
		ModelRows:     s.DB,
		Grants:        s.DB,
		Chat:          s.chat,
		Files:         s.documents.files,
		Knowledge:     s.documents.knowledge,
		Conversations: s.conversations,
		Retrieval:     s.documents.retrieval,
		Doors: api.Doors{
			Connect:    up.connect,
			Fetch:      newFetcher().fetch,
			TempDir:    temp,
			Usage:      s.usage,
			MaxStreams: s.cfg.MaxStreams,

			WriteTimeout: s.cfg.ClientWrite,
		},
		Config: api.Config{
			Version:      config.Version,
			Dev:          s.cfg.Dev(),
			NoAuth:       !s.cfg.Auth,
			TrustedProxy: s.cfg.Trusted.Email != "",
			CORSOrigins:  s.cfg.CORSOrigins,

			OpenAIPassthrough: s.cfg.OpenAIPassthrough,
		},
		Log:  s.log,
		Ping: s.DB.Ping,
	}
	s.gate = &gate{refuse: http.HandlerFunc(refuse)}
	edge.NotReady = s.gate.reasons
	edge.Observe, s.streams = s.observe, edge.Streams
	handler, err := edge.NewHandler()
	if err != nil {
		return nil, err
	}
	s.gate.next = handler
	s.gauges()
	s.documents.run()
	return s.gate, nil
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

// closeBuilt lets go of what build made.
func (s *Server) closeBuilt() {
	if s.documents != nil {
		s.documents.close()
	}
	if s.models != nil {
		s.models.Close()
	}
}

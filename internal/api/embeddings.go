package api

import (
	"net/http"

	"portico/internal/api/route"
	"portico/internal/chat"
	wire "portico/internal/schema/openai"
)

// embeddingRoutes turn texts into vectors, in OpenAI's shape.
func (a *API) embeddingRoutes() []route.Route {
	return []route.Route{{
		Method: "POST", Path: "/api/embeddings",
		Also: []string{"/api/v1/embeddings", "/v1/embeddings"},
		Op:   "embeddings", Tag: "chat", Who: route.Verified, Dialect: route.OpenAIError, MaxBody: maxChatBody,
		Summary: "Turn texts into vectors",
		Doc:     "Works with models of both kinds of connection. A model that does not exist and one that the caller may not use are told alike, with 400.",
		Body:    wire.EmbeddingRequest{}, Answer: wire.EmbeddingList{},
		Errors:  []int{http.StatusBadRequest, http.StatusTooManyRequests, 500, 502, 503, 504},
		Handler: a.embed,
	}}
}

func (a *API) embed(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := chatMedia(r, c); err != nil {
		return err
	}
	return a.Chat.Embed(w, r, chat.Call{Who: c.Who, RequestID: c.RequestID})
}

package api

import (
	"net/http"

	"portico/internal/api/route"
	"portico/internal/chat"
	"portico/internal/errdefs"
	wire "portico/internal/schema/openai"
)

// maxChatBody leaves room for images within the messages.
const maxChatBody = 32 << 20

// completionRoutes answer chats in OpenAI's shape.
func (a *API) completionRoutes() []route.Route {
	return []route.Route{{
		Method: "POST", Path: "/api/chat/completions",
		Also: []string{"/api/v1/chat/completions", "/v1/chat/completions"},
		Op:   "chat_completions", Tag: "chat", Who: route.Verified, Dialect: route.OpenAIError, MaxBody: maxChatBody,
		Summary: "Answer a conversation",
		Doc: "The body is OpenAI's; members that are not described here reach the model's provider as they are. " +
			"With `\"stream\": true` the answer is a stream of events ended by `data: [DONE]`. " +
			"A model that does not exist and one that the caller may not use are told alike.",
		Body: wire.ChatRequest{}, Answer: wire.ChatCompletion{},
		Produces: "application/json, text/event-stream",
		Errors:   []int{http.StatusBadRequest, http.StatusTooManyRequests, 500, 502, 503, 504},
		Handler:  a.complete,
	}}
}

func (a *API) complete(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	if err := chatMedia(r, c); err != nil {
		return err
	}
	return a.Chat.Complete(w, r, chat.Call{Who: c.Who, RequestID: c.RequestID, StreamError: SSEError})
}

// chatMedia refuses what a form on another site could send with the session's
// cookie. Other callers may leave the Content-Type out.
func chatMedia(r *http.Request, c *route.Call) error {
	if c.Ambient && !route.SaysJSON(r) {
		return errdefs.New(errdefs.Invalid, "With a cookie, the body must be sent as Content-Type: application/json.").
			WithStatus(http.StatusUnsupportedMediaType)
	}
	return nil
}

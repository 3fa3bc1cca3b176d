package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/model"
)

// modelRoutes are the lists of models.
func (a *API) modelRoutes() []route.Route {
	return []route.Route{
		{
			Method: "GET", Path: "/api/models", Also: []string{"/api/v1/models"}, Op: "models", Tag: "models", Who: route.Verified, Dialect: route.OpenAIError,
			Summary: "List the models that the caller may use",
			Doc: "Answers at once with what is known and asks the providers again behind the answer. `If-None-Match` with the `ETag` of an earlier " +
				"answer gives 304 when nothing has changed.",
			Params: []route.Param{{Name: "refresh", In: "query", Doc: "Ask every provider now and wait for those that are alive.", Type: false}},
			Answer: modelList{}, Answers: map[int]any{http.StatusNotModified: nil}, Handler: a.models,
		},
		{
			Method: "GET", Path: "/v1/models", Op: "models_plain", Tag: "models", Who: route.Verified, Dialect: route.OpenAIError,
			Summary: "List the models that the caller may use, as the OpenAI API does",
			Answer:  plainModels{}, Answers: map[int]any{http.StatusNotModified: nil},
			Handler: a.listing(func(r *http.Request, who *access.Principal) (*model.Listing, error) {
				return a.Models.ListPlain(r.Context(), who)
			}),
		},
		{
			Method: "GET", Path: "/v1/models/{id...}", Op: "model_plain", Tag: "models", Who: route.Verified, Dialect: route.OpenAIError,
			Summary: "One model, as the OpenAI API shows it", Answer: plainModel{}, Errors: []int{404}, Handler: a.plainModel,
		},
		{
			Method: "GET", Path: "/api/models/base", Op: "base_models", Tag: "models", Who: route.Admin,
			Summary: "List what the providers have, shared or not", Answer: modelList{}, Answers: map[int]any{http.StatusNotModified: nil},
			Handler: a.listing(func(r *http.Request, who *access.Principal) (*model.Listing, error) {
				return a.Models.ListBase(r.Context(), who)
			}),
		},
	}
}

// modelList describes GET /api/models.
type modelList struct {
	Object string       `json:"object"` // "list"
	Data   []modelEntry `json:"data"`
}

// modelEntry describes one model. Members of the provider's own are spread
// among these.
type modelEntry struct {
	ID             string          `json:"id"`
	Name           string          `json:"name"`
	Object         string          `json:"object"` // "model"
	Created        int64           `json:"created"`
	OwnedBy        string          `json:"owned_by"` // "openai" or "ollama"
	ConnectionType string          `json:"connection_type"`
	Provider       string          `json:"provider,omitempty"`
	URLIndex       int             `json:"urlIdx,omitempty"`
	OpenAI         json.RawMessage `json:"openai,omitempty"`
	Ollama         json.RawMessage `json:"ollama,omitempty"`
	Loaded         bool            `json:"loaded,omitempty"`
	Preset         bool            `json:"preset,omitempty"`
	Info           *modelRow       `json:"info,omitempty"`
	Actions        []any           `json:"actions"`
	Filters        []any           `json:"filters"`
	Tags           []modelTag      `json:"tags"`
}

type modelTag struct {
	Name string `json:"name"`
}

// plainModels and plainModel describe the lists of the OpenAI API.
type plainModels struct {
	Object string       `json:"object"` // "list"
	Data   []plainModel `json:"data"`
}

type plainModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"` // "model"
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (a *API) models(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	refresh := false
	if r.URL.RawQuery != "" { // usually there is none
		args := route.ArgsOf(r)
		refresh = args.Bool("refresh", false)
		if err := args.Err(); err != nil {
			return err
		}
	}
	list, err := a.Models.List(r.Context(), c.Who, refresh)
	if err != nil {
		return err
	}
	return writeListing(w, r, list)
}

// listing makes the handler of a list.
func (a *API) listing(get func(*http.Request, *access.Principal) (*model.Listing, error)) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		list, err := get(r, c.Who)
		if err != nil {
			return err
		}
		return writeListing(w, r, list)
	}
}

func (a *API) plainModel(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	body, err := a.Models.One(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return route.WriteBody(w, http.StatusOK, body)
}

var privateNoCache = []string{"private, no-cache"}

// writeListing answers with a ready list, or with 304 when the client has it.
func writeListing(w http.ResponseWriter, r *http.Request, list *model.Listing) error {
	h := w.Header()
	h["Etag"] = []string{list.ETag}
	h["Cache-Control"] = privateNoCache
	if matches(r.Header.Get("If-None-Match"), list.ETag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	// Without it a body of this size would be sent in chunks.
	h["Content-Length"] = []string{strconv.Itoa(len(list.Body))}
	return route.WriteBody(w, http.StatusOK, list.Body)
}

// matches reads If-None-Match: a list of tags, weak or strong, or "*".
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			return true
		}
	}
	return false
}

package api

import (
	"portico/internal/api/route"
	wire "portico/internal/schema/ollama"
	openai "portico/internal/schema/openai"
)

// maxOllamaBody leaves room for images within prompts.
const maxOllamaBody = 32 << 20

// ollamaRoutes are the door to Ollama's own API. Most of them pass a body and
// its answer on as they are.
func (a *API) ollamaRoutes() []route.Route {
	var rows []route.Route
	for _, part := range [][]route.Route{a.ollamaUseRoutes(), a.ollamaLookRoutes(), a.ollamaAdminRoutes(), a.ollamaFileRoutes()} {
		rows = append(rows, part...)
	}
	for i := range rows {
		rows[i].Tag = "ollama"
		rows[i].Params = append(rows[i].Params, route.Param{Name: "url_idx", In: "path", Doc: "Number of the connection, from 0.", Type: 0})
	}
	return rows
}

// ollamaUseRoutes use one model, of the connection that the path may name.
func (a *API) ollamaUseRoutes() []route.Route {
	const lines, events = "application/json, application/x-ndjson", "application/json, text/event-stream"
	var rows []route.Route
	for _, u := range []struct {
		path, op, summary, produces string
		body, answer                any
		dialect                     route.Dialect
	}{
		{"/api/generate", "ollama_generate", "Complete a prompt", lines, wire.Generate{}, wire.GenerateAnswer{}, route.OllamaError},
		{"/api/chat", "ollama_chat", "Answer a conversation, in Ollama's shape", lines, wire.Chat{}, wire.ChatAnswer{}, route.OllamaError},
		{"/api/embed", "ollama_embed", "Embed texts", "", wire.Embed{}, wire.EmbedAnswer{}, route.OllamaError},
		{"/api/embeddings", "ollama_embeddings", "Embed one text, the older way", "", wire.Embeddings{}, wire.EmbeddingsAnswer{}, route.OllamaError},
		{"/v1/chat/completions", "ollama_v1_chat", "Answer a conversation, in OpenAI's shape", events, openai.ChatRequest{}, openai.ChatCompletion{}, route.OpenAIError},
		{"/v1/completions", "ollama_v1_completions", "Complete a prompt, in OpenAI's shape", events, wire.Name{}, nil, route.OpenAIError},
		{"/v1/embeddings", "ollama_v1_embeddings", "Embed texts, in OpenAI's shape", "", wire.Embed{}, nil, route.OpenAIError},
		{"/v1/messages", "ollama_v1_messages", "Answer a conversation, in Anthropic's shape", events, wire.Name{}, nil, route.OpenAIError},
		{"/v1/responses", "ollama_v1_responses", "Answer, in the shape of OpenAI's responses", events, wire.Name{}, nil, route.OpenAIError},
		{"/api/show", "ollama_show", "What a model is", "", wire.Name{}, map[string]any{}, route.OllamaError},
	} {
		rows = append(rows, route.Route{
			Method: "POST", Path: "/ollama" + u.path, Also: []string{"/ollama" + u.path + "/{url_idx}"},
			Op: u.op, Summary: u.summary, Who: route.Verified, Dialect: u.dialect, MaxBody: maxOllamaBody,
			Doc:  "The body is passed on as it is, to a connection that has the model; so is the answer, streamed or not.",
			Body: u.body, Answer: u.answer, Produces: u.produces, Errors: []int{400, 403, 404, 500, 502, 503, 504},
			Handler: a.ollamaUse(u.path),
		})
	}
	return rows
}

// ollamaLookRoutes tell what there is.
func (a *API) ollamaLookRoutes() []route.Route {
	look := func(path, op, summary string, who route.Who, answer any, h route.Handler) route.Route {
		return route.Route{Method: "GET", Path: "/ollama" + path, Op: op, Summary: summary, Who: who,
			Dialect: route.OllamaError, Answer: answer, Errors: []int{400, 500, 502, 503}, Handler: h}
	}
	likeOpenAI := func(r route.Route) route.Route {
		r.Dialect = route.OpenAIError
		return r
	}
	root := look("", "ollama_root", "Is the door there?", route.Public, wire.Status{}, route.NoBody(ollamaRoot))
	root.Errors = nil
	return []route.Route{
		root,
		look("/api/tags", "ollama_tags", "The models of all connections", route.Verified, wire.Tags{}, a.ollamaTags),
		look("/api/tags/{url_idx}", "ollama_tags_of", "The models of one connection", route.Admin, wire.Tags{}, a.ollamaLookAt("/api/tags")),
		look("/api/ps", "ollama_ps", "The models in memory", route.Admin, wire.LoadedModels{}, a.ollamaPS),
		look("/api/ps/{url_idx}", "ollama_ps_of", "The models in the memory of one connection", route.Admin, wire.LoadedModels{}, a.ollamaLookAt("/api/ps")),
		look("/api/version", "ollama_version", "The lowest version of all connections", route.Verified, wire.Version{}, a.ollamaVersion),
		look("/api/version/{url_idx}", "ollama_version_of", "The version of one connection", route.Admin, wire.Version{}, a.ollamaLookAt("/api/version")),
		likeOpenAI(look("/v1/models", "ollama_v1_models", "The models, in OpenAI's shape", route.Verified, wire.Models{}, a.ollamaV1Models)),
		likeOpenAI(look("/v1/models/{url_idx}", "ollama_v1_models_of", "The models of one connection, in OpenAI's shape", route.Admin, wire.Models{}, a.ollamaLookAt("/v1/models"))),
	}
}

// ollamaAdminRoutes manage connections and their models.
func (a *API) ollamaAdminRoutes() []route.Route {
	const lines = "application/json, application/x-ndjson"
	admin := func(method, path, op, summary string, body, answer any, h route.Handler) route.Route {
		return route.Route{Method: method, Path: "/ollama" + path, Op: op, Summary: summary, Who: route.Admin,
			Dialect: route.OllamaError, Body: body, Answer: answer, Errors: []int{400, 404, 500, 502, 503}, Handler: h}
	}
	anywhere := func(r route.Route) route.Route {
		r.Also = []string{r.Path + "/{url_idx}"}
		return r
	}
	streamed := func(r route.Route) route.Route {
		r.Produces = lines
		return anywhere(r)
	}
	blob := admin("POST", "/api/blobs/{digest}", "ollama_blob_create", "Send a file for a model to be made of", nil, nil, a.ollamaBlob)
	blob.MaxBody, blob.Consumes = -1, "application/octet-stream"
	config := admin("GET", "/config", "ollama_config", "The connections", nil, wire.Config{}, route.NoBody(a.ollamaConfig))
	update := admin("POST", "/config/update", "ollama_config_update", "Set the connections", wire.Config{}, wire.Config{}, route.JSON(a.ollamaConfigUpdate))
	update.Errors = append(update.Errors, 409)
	update.Doc = "A key that comes masked, as it was returned, stays as it is."
	return []route.Route{
		config, update,
		admin("POST", "/verify", "ollama_verify", "Try a connection", wire.Verify{}, wire.Version{}, a.ollamaVerify),
		admin("POST", "/api/unload", "ollama_unload", "Take a model out of memory, everywhere", wire.Name{}, wire.Status{}, a.ollamaUnload),
		streamed(admin("POST", "/api/pull", "ollama_pull", "Fetch a model", wire.Name{}, wire.Progress{}, a.ollamaMake("/api/pull"))),
		streamed(admin("DELETE", "/api/push", "ollama_push", "Publish a model", wire.Name{}, wire.Progress{}, a.ollamaPush)),
		streamed(admin("POST", "/api/push", "ollama_push_post", "Publish a model, as Ollama's own clients ask", wire.Name{}, wire.Progress{}, a.ollamaPush)),
		streamed(admin("POST", "/api/create", "ollama_create", "Make a model", wire.Name{}, wire.Progress{}, a.ollamaMake("/api/create"))),
		anywhere(admin("POST", "/api/copy", "ollama_copy", "Copy a model", wire.Copy{}, true, a.ollamaChange("POST", "/api/copy", "source"))),
		anywhere(admin("DELETE", "/api/delete", "ollama_delete", "Delete a model", wire.Name{}, true, a.ollamaChange("DELETE", "/api/delete", "model", "name"))),
		anywhere(admin("GET", "/api/blobs/{digest}", "ollama_blob", "Is a file there already?", nil, nil, a.ollamaBlob)),
		anywhere(blob),
	}
}

// ollamaFileRoutes bring files of models to a connection.
func (a *API) ollamaFileRoutes() []route.Route {
	file := func(path, op, summary string, body any, h route.Handler) route.Route {
		return route.Route{Method: "POST", Path: "/ollama" + path, Also: []string{"/ollama" + path + "/{url_idx}"}, Op: op, Summary: summary,
			Who: route.Admin, Dialect: route.OllamaError, Body: body, Answer: wire.Transfer{}, Produces: "text/event-stream",
			Errors: []int{400, 500, 502, 503}, Handler: h}
	}
	upload := file("/models/upload", "ollama_models_upload", "Make a model of a file", nil, a.ollamaUpload)
	upload.MaxBody, upload.Consumes = -1, "multipart/form-data"
	return []route.Route{
		file("/models/download", "ollama_models_download", "Fetch a file of a model", wire.Download{}, a.ollamaDownload),
		upload,
	}
}

package api

import (
	"context"
	_ "embed"
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"portico/internal/api/route"
	"portico/internal/errdefs"
	"portico/internal/setting"
)

// inertConfig holds the fields of engines that are not here, as they are where
// those are off: who reads the form finds all of it.
//
//go:embed retrieval_inert.json
var inertConfig []byte

// display is how a field of the form differs from its setting.
type display uint8

const (
	inClear   display = iota
	secret            // masked; a masked one that comes back changes nothing
	orNothing         // 0 is null
	inQuotes          // a number in a text
)

// retrievalForm is the form's name of each setting.
var retrievalForm = []formField{
	{"RAG_TEMPLATE", setting.RAGTemplate.Name, inClear},
	{"TOP_K", setting.TopK.Name, inClear},
	{"TOP_K_RERANKER", setting.TopKReranker.Name, inClear},
	{"BYPASS_EMBEDDING_AND_RETRIEVAL", setting.BypassRetrieval.Name, inClear},
	{"RAG_FULL_CONTEXT", setting.FullContext.Name, inClear},
	{"RAG_SYSTEM_CONTEXT", setting.RAGSystemContext.Name, inClear},
	{"ENABLE_RAG_HYBRID_SEARCH", setting.HybridSearch.Name, inClear},
	{"ENABLE_RAG_HYBRID_SEARCH_ENRICHED_TEXTS", setting.HybridEnriched.Name, inClear},
	{"RELEVANCE_THRESHOLD", setting.RelevanceThreshold.Name, inClear},
	{"HYBRID_BM25_WEIGHT", setting.HybridWeight.Name, inClear},
	{"CONTENT_EXTRACTION_ENGINE", setting.ExtractionEngine.Name, inClear},
	{"TIKA_SERVER_URL", setting.TikaURL.Name, inClear},
	{"DOCLING_SERVER_URL", setting.DoclingURL.Name, inClear},
	{"DOCLING_API_KEY", setting.DoclingKey.Name, secret},
	{"RAG_RERANKING_ENGINE", setting.RerankingEngine.Name, inClear},
	{"RAG_RERANKING_MODEL", setting.RerankingModel.Name, inClear},
	{"RAG_EXTERNAL_RERANKER_URL", setting.RerankerURL.Name, inClear},
	{"RAG_EXTERNAL_RERANKER_API_KEY", setting.RerankerKey.Name, secret},
	{"RAG_EXTERNAL_RERANKER_TIMEOUT", setting.RerankerTimeout.Name, inQuotes},
	{"TEXT_SPLITTER", setting.TextSplitter.Name, inClear},
	{"ENABLE_MARKDOWN_HEADER_TEXT_SPLITTER", setting.MarkdownHeaders.Name, inClear},
	{"CHUNK_SIZE", setting.ChunkSize.Name, inClear},
	{"CHUNK_MIN_SIZE_TARGET", setting.ChunkMinSize.Name, inClear},
	{"CHUNK_OVERLAP", setting.ChunkOverlap.Name, inClear},
	{"FILE_MAX_SIZE", setting.FileMaxSize.Name, orNothing},
	{"FILE_MAX_COUNT", setting.FileMaxCount.Name, orNothing},
	{"ALLOWED_FILE_EXTENSIONS", setting.AllowedExtensions.Name, inClear},
}

type formField struct {
	field, name string
	how         display
}

func (a *API) retrievalAdminRoutes(base string) []route.Route {
	rows := []route.Route{
		{
			Method: "GET", Path: base + "/config", Op: "retrieval_config",
			Summary: "Settings of retrieval", Answer: map[string]json.RawMessage{}, Handler: route.NoBody(a.retrievalConfig),
		},
		{
			Method: "POST", Path: base + "/config/update", Op: "set_retrieval_config", Body: map[string]json.RawMessage{},
			Summary: "Change settings of retrieval", Answer: map[string]json.RawMessage{}, Errors: []int{400, 409}, Handler: route.JSON(a.setRetrievalConfig),
			Doc: "What is not given stays as it is. Other ways of cutting take effect when everything is cut anew; until then searches use what is there.",
		},
		{
			Method: "GET", Path: base + "/embedding", Op: "embedding_config",
			Summary: "What embeds documents", Answer: embeddingForm{}, Handler: route.NoBody(a.embeddingForm),
		},
		{
			Method: "POST", Path: base + "/embedding/update", Op: "set_embedding_config", Body: embeddingForm{},
			Summary: "Change what embeds documents", Answer: embeddingForm{}, Errors: []int{400, 409}, Handler: route.JSON(a.setEmbedding),
			Doc: "Everything is embedded anew beside what is searched now, and switched to when it is whole.",
		},
		{
			Method: "POST", Path: base + "/delete", Op: "delete_from_collection", Body: forgetForm{},
			Summary: "Take a file out of a collection", Answer: statusAnswer{}, Handler: route.JSON(a.forget),
		},
		{
			Method: "POST", Path: base + "/reset/db", Op: "reset_collections",
			Summary: "Delete all collections", Answer: json.RawMessage(nil), Handler: route.NoBody(a.resetCollections),
			Doc: "Files stay, and can be searched one by one.",
		},
		{
			Method: "POST", Path: base + "/reset/uploads", Op: "reset_uploads",
			Summary: "Delete everybody's files", Answer: true,
			Handler: route.NoBody(func(ctx context.Context, _ *route.Call) (bool, error) {
				_, err := a.Files.DeleteAll(ctx)
				return err == nil, err
			}),
		},
	}
	for i := range rows {
		rows[i].Tag, rows[i].Who = "retrieval", route.Admin
	}
	return rows
}

func (a *API) retrievalConfig(context.Context, *route.Call) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	if err := json.Unmarshal(inertConfig, &out); err != nil {
		return nil, err
	}
	for _, f := range retrievalForm {
		out[f.field] = a.displayed(f)
	}
	out["status"] = json.RawMessage("true")
	return maps.Clone(out), nil
}

// displayed is the value of a field as the form has it.
func (a *API) displayed(f formField) json.RawMessage {
	raw := json.RawMessage(a.Settings.Raw(f.name))
	switch f.how {
	case secret:
		var text string
		if json.Unmarshal(raw, &text) == nil && text != "" {
			return quoted(masked(text))
		}
	case orNothing:
		if string(raw) == "0" {
			return json.RawMessage("null")
		}
	case inQuotes:
		return quoted(string(raw))
	}
	return raw
}

// setRetrievalConfig takes the whole form or a part of it. Fields of engines
// that are not here are ignored; so is null. "No limit" is an empty text.
func (a *API) setRetrievalConfig(ctx context.Context, c *route.Call, in map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	values := map[string]any{}
	for _, f := range retrievalForm {
		raw, ok := in[f.field]
		if !ok {
			continue
		}
		value, keep, err := formValue(f, raw)
		if err != nil {
			return nil, err
		}
		if keep {
			values[f.name] = value
		}
	}
	if err := a.Settings.Set(ctx, values); err != nil {
		return nil, err
	}
	return a.retrievalConfig(ctx, c)
}

// formValue is a field as its setting has it; keep is false when it changes
// nothing.
func formValue(f formField, raw json.RawMessage) (value any, keep bool, err error) {
	empty := string(raw) == `""`
	switch {
	case string(raw) == "null", f.how == inQuotes && empty:
		return nil, false, nil
	case f.how == orNothing && empty:
		return 0, true, nil
	case f.how == secret:
		var text string
		if json.Unmarshal(raw, &text) == nil && strings.HasPrefix(text, mask) {
			return nil, false, nil
		}
	case f.how == inQuotes:
		n, err := strconv.Atoi(strings.Trim(string(raw), `"`))
		if err != nil {
			return nil, false, errdefs.Newf(errdefs.Invalid, "%s must be a number.", f.field)
		}
		return n, true, nil
	}
	return raw, true, nil
}

// embeddingForm says what embeds. Keys are masked.
type embeddingForm struct {
	Status     bool        `json:"status"`
	Engine     *string     `json:"RAG_EMBEDDING_ENGINE" require:"true"`
	Model      *string     `json:"RAG_EMBEDDING_MODEL" require:"true"`
	Batch      *int        `json:"RAG_EMBEDDING_BATCH_SIZE"`
	Async      *bool       `json:"ENABLE_ASYNC_EMBEDDING"`
	Concurrent *int        `json:"RAG_EMBEDDING_CONCURRENT_REQUESTS"`
	OpenAI     *engineForm `json:"openai_config"`
	Ollama     *engineForm `json:"ollama_config"`
	Azure      *engineForm `json:"azure_openai_config"`
}

type engineForm struct {
	URL     *string `json:"url"`
	Key     *string `json:"key"`
	Version *string `json:"version,omitempty"`
}

func (a *API) embeddingForm(context.Context, *route.Call) (*embeddingForm, error) {
	s, none := a.Settings, ""
	return &embeddingForm{
		Status: true,
		Engine: new(setting.Get(s, setting.EmbeddingEngine)), Model: new(setting.Get(s, setting.EmbeddingModel)),
		Batch: new(setting.Get(s, setting.EmbeddingBatch)), Async: new(setting.Get(s, setting.EmbeddingAsync)),
		Concurrent: new(setting.Get(s, setting.EmbeddingConcurrency)),
		OpenAI:     &engineForm{URL: new(setting.Get(s, setting.EmbeddingOpenAIURL)), Key: new(orMasked(setting.Get(s, setting.EmbeddingOpenAIKey)))},
		Ollama:     &engineForm{URL: new(setting.Get(s, setting.EmbeddingOllamaURL)), Key: new(orMasked(setting.Get(s, setting.EmbeddingOllamaKey)))},
		Azure:      &engineForm{URL: &none, Key: &none, Version: &none},
	}, nil
}

func orMasked(secret string) string {
	if secret == "" {
		return ""
	}
	return masked(secret)
}

func (a *API) setEmbedding(ctx context.Context, c *route.Call, in embeddingForm) (*embeddingForm, error) {
	values := map[string]any{}
	put(values, setting.EmbeddingEngine.Name, in.Engine)
	put(values, setting.EmbeddingModel.Name, in.Model)
	put(values, setting.EmbeddingBatch.Name, in.Batch)
	put(values, setting.EmbeddingAsync.Name, in.Async)
	put(values, setting.EmbeddingConcurrency.Name, in.Concurrent)
	for _, e := range []struct {
		form     *engineForm
		url, key string
	}{
		{in.OpenAI, setting.EmbeddingOpenAIURL.Name, setting.EmbeddingOpenAIKey.Name},
		{in.Ollama, setting.EmbeddingOllamaURL.Name, setting.EmbeddingOllamaKey.Name},
	} {
		if e.form == nil {
			continue
		}
		put(values, e.url, e.form.URL)
		if e.form.Key != nil && !strings.HasPrefix(*e.form.Key, mask) {
			put(values, e.key, e.form.Key)
		}
	}
	if err := a.Settings.Set(ctx, values); err != nil {
		return nil, err
	}
	return a.embeddingForm(ctx, c)
}

// put keeps what was given.
func put[T any](values map[string]any, name string, v *T) {
	if v != nil {
		values[name] = *v
	}
}

type forgetForm struct {
	Collection string `json:"collection_name" require:"true"`
	FileID     string `json:"file_id" require:"true"`
}

func (a *API) forget(ctx context.Context, c *route.Call, in forgetForm) (statusAnswer, error) {
	done, err := a.Retrieval.Forget(ctx, c.Who, in.Collection, in.FileID)
	return statusAnswer{done}, err
}

func (a *API) resetCollections(ctx context.Context, _ *route.Call) (json.RawMessage, error) {
	return json.RawMessage("null"), a.Retrieval.ResetCollections(ctx)
}

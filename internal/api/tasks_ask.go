package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"unicode/utf8"

	"portico/internal/api/route"
	"portico/internal/chat"
	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/rawjson"
	wire "portico/internal/schema/openai"
	"portico/internal/setting"
	"portico/internal/task"
)

// askRoutes ask a model small questions about a conversation.
func (a *API) askRoutes() []route.Route {
	const base = "/api/v1/tasks"
	rows := []route.Route{
		{
			Method: "GET", Path: base + "/config", Op: "task_config", Who: route.Verified, Summary: "What is asked of models beside chats, and how", Answer: taskConfig{},
			Handler: route.NoBody(func(context.Context, *route.Call) (taskConfig, error) { return a.taskConfig(), nil }),
		},
		{
			Method: "POST", Path: base + "/config/update", Op: "set_task_config", Who: route.Admin, Summary: "Change it", Body: taskConfigForm{}, Answer: taskConfig{}, Errors: []int{400, 409},
			Doc: "What is not given stays. Templates hold {{MESSAGES}}, {{MESSAGES:END:2}}, {{PROMPT}}, {{TYPE}} or {{CURRENT_DATE}}; empty ones are the server's own.", Handler: route.JSON(a.setTaskConfig),
		},
	}
	for _, q := range questions {
		rows = append(rows, route.Route{
			Method: "POST", Path: base + "/" + q.path + "/completions", Also: q.also, Op: "ask_" + string(q.kind), Who: route.Verified, Summary: q.summary,
			Doc:     "The answer is a chat completion, whose message holds " + q.gives + ". The model is the one of TASK_MODEL or TASK_MODEL_EXTERNAL, where that is set and the caller may use it, else the one named.",
			MaxBody: maxChatBody, Body: askForm{}, Answer: wire.ChatCompletion{}, Errors: []int{400, 404, 429, 500, 502, 503, 504}, Handler: a.ask(q),
		})
	}
	for i := range rows {
		rows[i].Tag = "tasks"
	}
	return rows
}

// question is a route that asks one.
type question struct {
	path, summary, gives string
	also                 []string
	kind                 task.Kind
	on                   *setting.Key[bool] // nil is always
	template             *setting.Key[string]
}

var questions = []question{
	{path: "title", kind: task.Title, summary: "Ask for a title", gives: `{"title":"…"}`, on: &setting.EnableTitles, template: &setting.TitleTemplate},
	{path: "tags", kind: task.Tags, summary: "Ask for tags", gives: `{"tags":["…"]}`, on: &setting.EnableTags, template: &setting.TagsTemplate},
	{path: "follow_up", also: []string{"/api/v1/tasks/follow-up/completions", "/api/v1/tasks/follow_ups/completions"}, kind: task.FollowUps, summary: "Ask for next questions",
		gives: `{"follow_ups":["…"]}`, on: &setting.EnableFollowUps, template: &setting.FollowUpsTemplate},
	{path: "queries", kind: task.Queries, summary: "Ask for search queries", gives: `{"queries":["…"]}`, on: &setting.EnableSearchQueries, template: &setting.QueriesTemplate},
	{path: "emoji", kind: task.Emoji, summary: "Ask for an emoji that fits a text", gives: "one emoji"},
	{path: "auto", kind: task.Autocomplete, summary: "Ask how a text that is being typed goes on", gives: `{"text":"…"}`, on: &setting.EnableAutocomplete, template: &setting.AutocompleteTemplate},
	{path: "image_prompt", kind: task.ImagePrompt, summary: "Ask for the description of a picture", gives: `{"prompt":"…"}`, template: &setting.ImagePromptTemplate},
}

// askForm is what clients send. A chat_id is not needed, and is not looked at.
type askForm struct {
	Model    string       `json:"model" require:"true"`
	Messages []askMessage `json:"messages"`
	Prompt   string       `json:"prompt"`
	Type     string       `json:"type"`
}

type askMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

func (m *askMessage) text() string {
	if text, ok := rawjson.Unquote(m.Content); ok {
		return text
	}
	var b []byte
	rawjson.Elements(m.Content, func(part []byte) { b, _ = rawjson.AppendUnquoted(b, rawjson.Lookup(part, "text")) })
	return string(b)
}

func (a *API) ask(q question) route.Handler {
	return func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
		var in askForm
		if err := route.Decode(w, r, c, &in); err != nil {
			return err
		}
		if q.on != nil && !setting.Get(a.Settings, *q.on) {
			return errdefs.New(errdefs.Invalid, "This is switched off. An administrator can switch it on in the settings of tasks.")
		}
		most := setting.Get(a.Settings, setting.AutocompleteMax)
		if q.kind == task.Autocomplete && most >= 0 && utf8.RuneCountInString(in.Prompt) > most {
			return errdefs.Newf(errdefs.Invalid, "The text is longer than the %d characters that are completed.", most)
		}
		about := task.Input{Prompt: in.Prompt, Type: in.Type, Now: a.now()}
		for i := range in.Messages {
			about.Messages = append(about.Messages, task.Message{Role: in.Messages[i].Role, Text: in.Messages[i].text()})
		}
		template := ""
		if q.template != nil {
			template = setting.Get(a.Settings, *q.template)
		}
		model := a.taskModel(r.Context(), c, in.Model)
		body, err := route.Marshal(map[string]any{
			"model": model, "stream": false,
			"messages": []map[string]string{{"role": "user", "content": task.Prompt(q.kind, template, about)}},
		})
		if err != nil {
			return err
		}
		asked := r.WithContext(r.Context())
		asked.Body, asked.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return a.Chat.Complete(w, asked, chat.Call{Who: c.Who, RequestID: c.RequestID, Refuse: refuseTask})
	}
}

func refuseTask(_ string, err error) error {
	if errdefs.Is(err, errdefs.NotFound) || errdefs.Is(err, errdefs.Forbidden) {
		return errdefs.New(errdefs.NotFound, "Model not found")
	}
	return err
}

// taskModel is the model for small questions about a chat with another one. Who
// may not use it keeps to their own.
func (a *API) taskModel(ctx context.Context, c *route.Call, id string) string {
	target, err := a.Models.Resolve(ctx, c.Who, id)
	if err != nil {
		return id
	}
	key := setting.TaskModelExternal
	if target.Kind == provider.Ollama {
		key = setting.TaskModel
	}
	other := setting.Get(a.Settings, key)
	if other == "" {
		return id
	}
	if _, err := a.Models.Resolve(ctx, c.Who, other); err != nil {
		return id
	}
	return other
}

// taskConfig is the settings of small questions, by the names that clients know.
type taskConfig struct {
	TaskModel            string `json:"TASK_MODEL"`
	TaskModelExternal    string `json:"TASK_MODEL_EXTERNAL"`
	Titles               bool   `json:"ENABLE_TITLE_GENERATION"`
	TitleTemplate        string `json:"TITLE_GENERATION_PROMPT_TEMPLATE"`
	ImageTemplate        string `json:"IMAGE_PROMPT_GENERATION_PROMPT_TEMPLATE"`
	Autocomplete         bool   `json:"ENABLE_AUTOCOMPLETE_GENERATION"`
	AutocompleteMax      int    `json:"AUTOCOMPLETE_GENERATION_INPUT_MAX_LENGTH"`
	AutocompleteTemplate string `json:"AUTOCOMPLETE_GENERATION_PROMPT_TEMPLATE"`
	TagsTemplate         string `json:"TAGS_GENERATION_PROMPT_TEMPLATE"`
	FollowUpsTemplate    string `json:"FOLLOW_UP_GENERATION_PROMPT_TEMPLATE"`
	FollowUps            bool   `json:"ENABLE_FOLLOW_UP_GENERATION"`
	Tags                 bool   `json:"ENABLE_TAGS_GENERATION"`
	SearchQueries        bool   `json:"ENABLE_SEARCH_QUERY_GENERATION"`
	RetrievalQueries     bool   `json:"ENABLE_RETRIEVAL_QUERY_GENERATION"`
	QueriesTemplate      string `json:"QUERY_GENERATION_PROMPT_TEMPLATE"`
	// Of what is not done here.
	ToolsTemplate string `json:"TOOLS_FUNCTION_CALLING_PROMPT_TEMPLATE"`
	VoicePrompt   bool   `json:"ENABLE_VOICE_MODE_PROMPT"`
	VoiceTemplate string `json:"VOICE_MODE_PROMPT_TEMPLATE"`
}

func (a *API) taskConfig() taskConfig {
	s := a.Settings
	return taskConfig{
		TaskModel: setting.Get(s, setting.TaskModel), TaskModelExternal: setting.Get(s, setting.TaskModelExternal),
		Titles: setting.Get(s, setting.EnableTitles), TitleTemplate: setting.Get(s, setting.TitleTemplate),
		ImageTemplate: setting.Get(s, setting.ImagePromptTemplate),
		Autocomplete:  setting.Get(s, setting.EnableAutocomplete), AutocompleteMax: setting.Get(s, setting.AutocompleteMax),
		AutocompleteTemplate: setting.Get(s, setting.AutocompleteTemplate),
		Tags:                 setting.Get(s, setting.EnableTags), TagsTemplate: setting.Get(s, setting.TagsTemplate),
		FollowUps: setting.Get(s, setting.EnableFollowUps), FollowUpsTemplate: setting.Get(s, setting.FollowUpsTemplate),
		SearchQueries: setting.Get(s, setting.EnableSearchQueries), RetrievalQueries: setting.Get(s, setting.QueryGeneration),
		QueriesTemplate: setting.Get(s, setting.QueriesTemplate),
	}
}

// taskConfigForm is taskConfig with nothing required.
type taskConfigForm struct {
	TaskModel            *string `json:"TASK_MODEL"`
	TaskModelExternal    *string `json:"TASK_MODEL_EXTERNAL"`
	Titles               *bool   `json:"ENABLE_TITLE_GENERATION"`
	TitleTemplate        *string `json:"TITLE_GENERATION_PROMPT_TEMPLATE"`
	ImageTemplate        *string `json:"IMAGE_PROMPT_GENERATION_PROMPT_TEMPLATE"`
	Autocomplete         *bool   `json:"ENABLE_AUTOCOMPLETE_GENERATION"`
	AutocompleteMax      *int    `json:"AUTOCOMPLETE_GENERATION_INPUT_MAX_LENGTH"`
	AutocompleteTemplate *string `json:"AUTOCOMPLETE_GENERATION_PROMPT_TEMPLATE"`
	TagsTemplate         *string `json:"TAGS_GENERATION_PROMPT_TEMPLATE"`
	FollowUpsTemplate    *string `json:"FOLLOW_UP_GENERATION_PROMPT_TEMPLATE"`
	FollowUps            *bool   `json:"ENABLE_FOLLOW_UP_GENERATION"`
	Tags                 *bool   `json:"ENABLE_TAGS_GENERATION"`
	SearchQueries        *bool   `json:"ENABLE_SEARCH_QUERY_GENERATION"`
	RetrievalQueries     *bool   `json:"ENABLE_RETRIEVAL_QUERY_GENERATION"`
	QueriesTemplate      *string `json:"QUERY_GENERATION_PROMPT_TEMPLATE"`
}

func (a *API) setTaskConfig(ctx context.Context, _ *route.Call, in taskConfigForm) (taskConfig, error) {
	values := map[string]any{}
	given(values, setting.TaskModel.Name, in.TaskModel)
	given(values, setting.TaskModelExternal.Name, in.TaskModelExternal)
	given(values, setting.EnableTitles.Name, in.Titles)
	given(values, setting.TitleTemplate.Name, in.TitleTemplate)
	given(values, setting.ImagePromptTemplate.Name, in.ImageTemplate)
	given(values, setting.EnableAutocomplete.Name, in.Autocomplete)
	given(values, setting.AutocompleteMax.Name, in.AutocompleteMax)
	given(values, setting.AutocompleteTemplate.Name, in.AutocompleteTemplate)
	given(values, setting.TagsTemplate.Name, in.TagsTemplate)
	given(values, setting.FollowUpsTemplate.Name, in.FollowUpsTemplate)
	given(values, setting.EnableFollowUps.Name, in.FollowUps)
	given(values, setting.EnableTags.Name, in.Tags)
	given(values, setting.EnableSearchQueries.Name, in.SearchQueries)
	given(values, setting.QueryGeneration.Name, in.RetrievalQueries)
	given(values, setting.QueriesTemplate.Name, in.QueriesTemplate)
	if err := a.Settings.Set(ctx, values); err != nil {
		return taskConfig{}, err
	}
	return a.taskConfig(), nil
}

// given takes a value that is there.
func given[T any](values map[string]any, name string, value *T) {
	if value != nil {
		values[name] = *value
	}
}

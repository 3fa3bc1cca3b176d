package setting

import "fmt"

// Small questions about a conversation. An empty template is the server's own,
// in the language of the conversation.
var (
	EnableTitles = Key[bool]{Name: "task.title.enable", Env: []string{"ENABLE_TITLE_GENERATION"}, Default: true,
		Doc: "Whether models are asked for titles of chats."}
	TitleTemplate = Key[string]{Name: "task.title.prompt_template", Env: []string{"TITLE_GENERATION_PROMPT_TEMPLATE"}, check: template,
		Doc: "How they are asked: with `{{MESSAGES}}`, `{{MESSAGES:END:2}}`, `{{PROMPT}}`, `{{CURRENT_DATE}}`; empty is the server's own, as for those below."}
	EnableTags = Key[bool]{Name: "task.tags.enable", Env: []string{"ENABLE_TAGS_GENERATION"}, Default: true,
		Doc: "Whether models are asked for tags."}
	TagsTemplate = Key[string]{Name: "task.tags.prompt_template", Env: []string{"TAGS_GENERATION_PROMPT_TEMPLATE"}, check: template,
		Doc: "How they are asked."}
	EnableFollowUps = Key[bool]{Name: "task.follow_up.enable", Env: []string{"ENABLE_FOLLOW_UP_GENERATION"}, Default: true,
		Doc: "Whether models are asked for next questions."}
	FollowUpsTemplate = Key[string]{Name: "task.follow_up.prompt_template", Env: []string{"FOLLOW_UP_GENERATION_PROMPT_TEMPLATE"}, check: template,
		Doc: "How they are asked."}
	EnableSearchQueries = Key[bool]{Name: "task.query.search.enable", Env: []string{"ENABLE_SEARCH_QUERY_GENERATION"}, Default: true,
		Doc: "Whether models are asked for queries by POST /api/v1/tasks/queries/completions."}
	QueriesTemplate = Key[string]{Name: "task.query.prompt_template", Env: []string{"QUERY_GENERATION_PROMPT_TEMPLATE"}, check: template,
		Doc: "How they are asked."}
	EnableAutocomplete = Key[bool]{Name: "task.autocomplete.enable", Env: []string{"ENABLE_AUTOCOMPLETE_GENERATION"},
		Doc: "Whether models are asked to go on with what is being typed."}
	AutocompleteMax = Key[int]{Name: "task.autocomplete.input_max_length", Env: []string{"AUTOCOMPLETE_GENERATION_INPUT_MAX_LENGTH"}, Default: -1, check: within(-1, 1<<20),
		Doc: "How many characters may be typed for that; -1 is any number."}
	AutocompleteTemplate = Key[string]{Name: "task.autocomplete.prompt_template", Env: []string{"AUTOCOMPLETE_GENERATION_PROMPT_TEMPLATE"}, check: template,
		Doc: "How they are asked: with `{{PROMPT}}` and `{{TYPE}}`."}
	ImagePromptTemplate = Key[string]{Name: "task.image.prompt_template", Env: []string{"IMAGE_PROMPT_GENERATION_PROMPT_TEMPLATE"}, check: template,
		Doc: "How models are asked to describe a picture."}
)

// template bounds what is sent with every question.
func template(text string) error {
	const most = 64 << 10
	if len(text) > most {
		return fmt.Errorf("a template has at most %d bytes", most)
	}
	return nil
}

func taskKeys() []Descriptor {
	return []Descriptor{
		describe(EnableTitles), describe(TitleTemplate), describe(EnableTags), describe(TagsTemplate),
		describe(EnableFollowUps), describe(FollowUpsTemplate), describe(EnableSearchQueries), describe(QueriesTemplate),
		describe(EnableAutocomplete), describe(AutocompleteMax), describe(AutocompleteTemplate), describe(ImagePromptTemplate),
	}
}

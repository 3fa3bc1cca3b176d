package chat

import (
	"encoding/json"
	"strings"

	"portico/internal/provider"
	"portico/internal/rawjson"
)

// rewordPrompt asks for a search query that stands alone.
const rewordPrompt = `Below are the last two things a user said in a conversation. Write up to three short search queries, each of which can be understood alone, that would find what the last one asks for in a collection of documents. Use the user's language. Answer with JSON alone: {"queries":["…"]}

`

// maxQueries is how many wordings are searched for beside the user's own.
const maxQueries = 3

// reworded gives further wordings of the question of a follow-up turn: those
// of the model where that is set, else the last two questions as one.
func (t *turn) reworded(both string) []string {
	if !t.s.grounding().Reword {
		return []string{both}
	}
	body, _ := json.Marshal(map[string]any{ // strings: cannot fail
		"model": t.target.Upstream, "stream": false, "messages": []map[string]string{{"role": "user", "content": rewordPrompt + both}},
	})
	var doc rawjson.Doc
	if parse(&doc, body) != nil {
		return []string{both}
	}
	var answer string
	req := provider.ChatRequest{Doc: &doc, Model: t.target.Upstream, Requested: t.req.Requested, Caller: callerOf(t.Who)}
	err := t.try(func(b *provider.Backend) (*provider.Reply, error) { return b.Chat(t.r.Context(), &req) })
	if err == nil {
		t.s.usage.Add(t.usageKey(), false, t.reply.Usage.Prompt, t.reply.Usage.Completion)
		answer = contentOf(t.reply.Body)
		t.backend(nil)
		if t.reply.Release != nil {
			t.reply.Release()
		}
		t.reply, t.backend = nil, nil
	}
	if queries := queriesIn(answer); len(queries) > 0 {
		return queries
	}
	return []string{both} // a model that cannot is no reason to fail
}

// contentOf is the text of an answer in OpenAI's shape.
func contentOf(body []byte) string {
	var a struct {
		Choices []struct {
			Message struct{ Content string }
		}
	}
	if json.Unmarshal(body, &a) != nil || len(a.Choices) == 0 {
		return ""
	}
	return a.Choices[0].Message.Content
}

// queriesIn reads {"queries":[…]} wherever it stands in a text.
func queriesIn(text string) []string {
	from, to := strings.IndexByte(text, '{'), strings.LastIndexByte(text, '}')
	if from < 0 || to < from {
		return nil
	}
	var a struct{ Queries []string }
	if json.Unmarshal([]byte(text[from:to+1]), &a) != nil {
		return nil
	}
	var out []string
	for _, q := range a.Queries {
		if q = strings.TrimSpace(q); q != "" && len(q) <= 1024 && len(out) < maxQueries {
			out = append(out, q)
		}
	}
	return out
}

package conversation

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"portico/internal/access"
	"portico/internal/errdefs"
)

// Ask is a question to a model that belongs into a chat, as a client puts it.
type Ask struct {
	ChatID   string  // "" begins a chat
	FolderID string  // for a chat that begins
	AnswerID string  // of the message that will hold the answer
	ParentID *string // of the question; nil is what the question itself says
	// Question is the user's message, an object of the tree. Messages is what
	// the client would send without a saved chat: its system message counts,
	// and its last question where Question is empty.
	Question, Messages json.RawMessage
	Model              string
}

// Turn is one question and its answer on their way into a chat. Begin keeps
// the question, End the answer; both are safe beside other changes of the chat.
type Turn struct {
	s        *Service
	who      *access.Principal
	ask      Ask
	question members
	qid      string
	parent   string
	// Messages is the conversation so far and the question, for the model.
	Messages json.RawMessage
}

// Answer is what became of a question.
type Answer struct {
	Content, Reasoning string
	Prompt, Completion int64           // tokens; 0 is not told
	Sources            json.RawMessage // a JSON array, or empty
	// Interrupted says why the answer is not whole: "client", "stopped",
	// "error", "length"; "" when it is.
	Interrupted string
	Error       string // a sentence for the reader
}

func badTurn() error {
	return errdefs.New(errdefs.Conflict, "Message already exists or has an invalid ID: send the answer's \"id\", which is new, and \"user_message\" with its id.")
}

// Recall finds the chat that a question belongs to, which must be their own,
// and what was said in it. Nothing is changed.
func (s *Service) Recall(ctx context.Context, who *access.Principal, ask Ask) (*Turn, error) {
	t := &Turn{s: s, who: who, ask: ask}
	past := &tree{messages: members{}}
	if ask.ChatID != "" {
		c, err := s.Own(ctx, who, ask.ChatID)
		if err != nil {
			return nil, err
		}
		if past, err = parse(c.Body); err != nil {
			return nil, err
		}
	} else if ask.FolderID != "" {
		if _, err := s.Folder(ctx, who, ask.FolderID); err != nil {
			return nil, err
		}
	}
	if err := t.read(); err != nil {
		return nil, err
	}
	if err := t.fits(past); err != nil {
		return nil, err
	}
	return t, t.recount(past)
}

// read takes the question apart. A chat that begins needs no ids.
func (t *Turn) read() error {
	if len(t.ask.Question) > 0 && json.Unmarshal(t.ask.Question, &t.question) != nil {
		return badTurn()
	}
	if t.ask.ChatID == "" {
		if t.question == nil {
			t.question = lastQuestion(t.ask.Messages)
		}
		if t.ask.AnswerID == "" {
			t.ask.AnswerID = t.s.cfg.NewID()
		}
	}
	if t.question == nil {
		return badTurn()
	}
	_ = json.Unmarshal(t.question["id"], &t.qid) // of another type: as if there were none
	if t.qid == "" && t.ask.ChatID == "" {
		t.qid = t.s.cfg.NewID()
	}
	if !validID(t.qid) || !validID(t.ask.AnswerID) || t.qid == t.ask.AnswerID {
		return badTurn()
	}
	var said *string
	if json.Unmarshal(t.question["parentId"], &said) != nil || said == nil {
		said = t.ask.ParentID
	}
	// Older clients name the question itself as the parent: of the answer.
	if said != nil && *said != t.qid {
		t.parent = *said
	}
	return nil
}

func validID(id string) bool { return id != "" && len(id) <= maxID && !strings.ContainsRune(id, 0) }

// lastQuestion is the last message of a user, as one of the tree.
func lastQuestion(messages json.RawMessage) members {
	var list []members
	if json.Unmarshal(messages, &list) != nil {
		return nil
	}
	for i := len(list) - 1; i >= 0; i-- {
		if string(list[i]["role"]) == `"user"` {
			return list[i]
		}
	}
	return nil
}

// fits refuses ids that are taken. A question may be there already (it is asked
// again), and an answer that is empty and not done: clients save both first.
func (t *Turn) fits(past *tree) error {
	if q := past.message(t.qid); q != nil {
		if q.Role != "user" {
			return badTurn()
		}
		t.parent = q.parent()
	} else if t.parent != "" && past.message(t.parent) == nil {
		return badTurn()
	}
	if a := past.message(t.ask.AnswerID); a != nil {
		if a.Role != "assistant" || a.text() != "" || a.Done != nil && *a.Done || a.parent() != t.qid && a.parent() != "" {
			return badTurn()
		}
	}
	return nil
}

// recount writes the messages for the model: the client's system message, what
// was said on the way to the question, the question.
func (t *Turn) recount(past *tree) error {
	var all []json.RawMessage
	var sent []members
	if json.Unmarshal(t.ask.Messages, &sent) == nil && len(sent) > 0 {
		if role := string(sent[0]["role"]); role == `"system"` || role == `"developer"` {
			raw, err := json.Marshal(sent[0])
			if err != nil {
				return err
			}
			all = append(all, raw)
		}
	}
	path := past.path(t.parent)
	if q := past.message(t.qid); q != nil {
		path = append(path, q)
	} else {
		q := new(message)
		raw, err := json.Marshal(t.question)
		if err != nil {
			return err
		}
		if json.Unmarshal(raw, q) != nil {
			return badTurn()
		}
		q.Role = "user"
		path = append(path, q)
	}
	for _, m := range path {
		raw, err := m.forModel()
		if err != nil {
			return err
		}
		if raw != nil {
			all = append(all, raw)
		}
	}
	var err error
	t.Messages, err = json.Marshal(all)
	return err
}

// forModel is a message in OpenAI's shape, with the pictures that are in it;
// nil for an answer that says nothing.
func (m *message) forModel() (json.RawMessage, error) {
	if m.Role == "assistant" && m.text() == "" || m.Role != "assistant" && m.Role != "user" && m.Role != "system" {
		return nil, nil
	}
	content := m.Content
	if len(content) == 0 || string(content) == "null" {
		content = json.RawMessage(`""`)
	}
	type part struct {
		Type  string            `json:"type"`
		Text  string            `json:"text,omitempty"`
		Image map[string]string `json:"image_url,omitempty"`
	}
	var parts []part
	for _, f := range m.Files {
		// Only what is whole in the chat: an id or an address could be of others.
		if m.Role == "user" && f.Type == "image" && strings.HasPrefix(f.URL, "data:image/") {
			parts = append(parts, part{Type: "image_url", Image: map[string]string{"url": f.URL}})
		}
	}
	if len(parts) > 0 && content[0] == '"' {
		raw, err := json.Marshal(append([]part{{Type: "text", Text: m.text()}}, parts...))
		if err != nil {
			return nil, err
		}
		content = raw
	}
	return json.Marshal(map[string]any{"role": m.Role, "content": content})
}

// ChatID is the chat; after Begin also of one that begins.
func (t *Turn) ChatID() string { return t.ask.ChatID }

// AnswerID is the id of the message that holds the answer.
func (t *Turn) AnswerID() string { return t.ask.AnswerID }

// NewID makes an id as the room's own are.
func (t *Turn) NewID() string { return t.s.cfg.NewID() }

// Begin keeps the question, and an empty answer that is not done.
func (t *Turn) Begin(ctx context.Context) error {
	if t.ask.ChatID == "" {
		made, err := t.s.Create(ctx, t.who, Draft{Body: json.RawMessage(`{"title":"` + NewTitle + `"}`), FolderID: t.ask.FolderID})
		if err != nil {
			return err
		}
		t.ask.ChatID = made[0].ID
	}
	_, err := t.s.change(ctx, t.who, t.ask.ChatID, func(c *Chat) error {
		tr, err := parse(c.Body)
		if err != nil {
			return err
		}
		// Another question may have come between Recall and here.
		if err := t.fits(tr); err != nil {
			return err
		}
		if err := t.plant(tr); err != nil {
			return err
		}
		c.Body, err = tr.join()
		return err
	})
	return err
}

// plant puts question and answer into the tree, where they are not yet.
func (t *Turn) plant(tr *tree) (err error) {
	now := t.s.now()
	if tr.message(t.qid) == nil {
		if tr.messages[t.qid], err = json.Marshal(t.question); err != nil {
			return err
		}
		fields := map[string]any{"id": t.qid, "parentId": nullable(t.parent), "childrenIds": []string{}, "role": "user"}
		if tr.message(t.qid).Timestamp == 0 {
			fields["timestamp"] = now
		}
		if err := tr.set(t.qid, fields); err != nil {
			return err
		}
		if err := tr.link(t.parent, t.qid); err != nil {
			return err
		}
	}
	if err := t.answer(tr, map[string]any{"content": "", "done": false, "timestamp": now}); err != nil {
		return err
	}
	tr.history["currentId"], err = json.Marshal(t.ask.AnswerID)
	return err
}

// answer lays fields over the answer, in its place in the tree.
func (t *Turn) answer(tr *tree, fields map[string]any) error {
	if tr.message(t.ask.AnswerID) == nil {
		fields["childrenIds"] = []string{}
	}
	fields["id"], fields["parentId"], fields["role"], fields["model"] = t.ask.AnswerID, t.qid, "assistant", t.ask.Model
	if err := tr.set(t.ask.AnswerID, fields); err != nil {
		return err
	}
	return tr.link(t.qid, t.ask.AnswerID)
}

func nullable(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}

// End keeps the answer. A chat that was deleted meanwhile stays deleted.
func (t *Turn) End(ctx context.Context, a Answer) error {
	fields := map[string]any{"content": a.Content, "done": true}
	if a.Reasoning != "" {
		fields["reasoning_content"] = a.Reasoning
	}
	if a.Prompt+a.Completion > 0 {
		fields["usage"] = map[string]int64{"prompt_tokens": a.Prompt, "completion_tokens": a.Completion, "total_tokens": a.Prompt + a.Completion}
	}
	if len(bytes.TrimSpace(a.Sources)) > 0 {
		fields["sources"] = a.Sources
	}
	if a.Interrupted != "" {
		fields["interrupted"] = a.Interrupted
	}
	if a.Error != "" {
		fields["error"] = map[string]string{"content": a.Error}
	}
	_, err := t.s.change(ctx, t.who, t.ask.ChatID, func(c *Chat) error {
		tr, err := parse(c.Body)
		if err != nil {
			return err
		}
		if tr.message(t.qid) == nil { // a client that saved its own view of the chat took it out
			if err := t.plant(tr); err != nil {
				return err
			}
		}
		if err := t.answer(tr, fields); err != nil {
			return err
		}
		c.Body, err = tr.join()
		return err
	})
	if e := errdefs.From(err); err != nil && e.Code == NoChat {
		return nil
	} else if err != nil && e.HTTPStatus() == http.StatusRequestEntityTooLarge {
		return e.WithCause(errFull)
	}
	return err
}

var errFull = errdefs.New(errdefs.TooLarge, "the chat has no room for the answer")

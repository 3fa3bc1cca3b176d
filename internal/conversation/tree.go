package conversation

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"portico/internal/errdefs"
)

// NewTitle is the title of a chat that was given none.
const NewTitle = "New Chat"

// members of a JSON object, those that nobody here knows among them.
type members = map[string]json.RawMessage

// message is what the rooms know of a message of the tree.
type message struct {
	ID       string          `json:"id"`
	ParentID *string         `json:"parentId"`
	Children []string        `json:"childrenIds"`
	Role     string          `json:"role"`
	Content  json.RawMessage `json:"content"`
	Model    string          `json:"model"`
	Models   []string        `json:"models"`
	Files    []struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	} `json:"files"`
	Timestamp float64           `json:"timestamp"`
	Status    []json.RawMessage `json:"statusHistory"`
	Done      *bool             `json:"done"`
	Error     json.RawMessage   `json:"error"`
}

func (m *message) parent() string {
	if m.ParentID == nil {
		return ""
	}
	return *m.ParentID
}

// text is the words of a message.
func (m *message) text() string {
	var s string
	if json.Unmarshal(m.Content, &s) == nil {
		return s
	}
	var parts []struct{ Text string }
	_ = json.Unmarshal(m.Content, &parts) // what is neither has no words
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// tree is a body taken apart as far as its messages.
type tree struct {
	body, history, messages members
}

func badBody(what string) error {
	return errdefs.New(errdefs.Invalid, "The chat is not in the form in which chats are kept: "+what)
}

// parse takes a body apart. A body without a history has an empty one.
func parse(body json.RawMessage) (*tree, error) {
	t := &tree{}
	if json.Unmarshal(body, &t.body) != nil || t.body == nil {
		return nil, badBody("it is a JSON object.")
	}
	if raw := t.body["history"]; len(raw) > 0 && json.Unmarshal(raw, &t.history) != nil {
		return nil, badBody("its history is a JSON object.")
	}
	if raw := t.history["messages"]; len(raw) > 0 && json.Unmarshal(raw, &t.messages) != nil {
		return nil, badBody("its history.messages is a JSON object of messages by their ids.")
	}
	if t.history == nil {
		t.history = members{}
	}
	if t.messages == nil {
		t.messages = members{}
	}
	return t, nil
}

// join puts the body together again.
func (t *tree) join() (_ json.RawMessage, err error) {
	if t.history["messages"], err = json.Marshal(t.messages); err != nil {
		return nil, err
	}
	if t.body["history"], err = json.Marshal(t.history); err != nil {
		return nil, err
	}
	return json.Marshal(t.body)
}

// message gives a message, or nil where there is none of that id.
func (t *tree) message(id string) *message {
	raw, ok := t.messages[id]
	if !ok {
		return nil
	}
	m := new(message)
	if json.Unmarshal(raw, m) != nil {
		// One wrong member must not hide the others; parents and children matter.
		var links struct {
			ParentID *string  `json:"parentId"`
			Children []string `json:"childrenIds"`
			Role     string   `json:"role"`
		}
		_ = json.Unmarshal(raw, &links)
		m = &message{ParentID: links.ParentID, Children: links.Children, Role: links.Role}
	}
	m.ID = id
	return m
}

// path gives the messages from the root to id. A circle ends it.
func (t *tree) path(id string) []*message {
	var path []*message
	seen := map[string]bool{}
	for m := t.message(id); m != nil && !seen[m.ID]; m = t.message(m.parent()) {
		seen[m.ID] = true
		path = append(path, m)
	}
	slices.Reverse(path)
	return path
}

// set lays members over a message, which is made where there is none.
func (t *tree) set(id string, fields map[string]any) error {
	m := members{}
	if raw := t.messages[id]; len(raw) > 0 && (json.Unmarshal(raw, &m) != nil || m == nil) {
		m = members{}
	}
	for key, value := range fields {
		raw, err := json.Marshal(value)
		if err != nil {
			return err
		}
		m[key] = raw
	}
	raw, err := json.Marshal(m)
	t.messages[id] = raw
	return err
}

// link makes id a child of parent.
func (t *tree) link(parent, id string) error {
	m := t.message(parent)
	if m == nil || slices.Contains(m.Children, id) {
		return nil
	}
	return t.set(parent, map[string]any{"childrenIds": append(m.Children, id)})
}

// currentID is the message at which a body stands.
func currentID(body json.RawMessage) string {
	var b struct {
		History struct{ CurrentID string }
	}
	_ = json.Unmarshal(body, &b) // a body without one stands nowhere
	return b.History.CurrentID
}

// CurrentMessage is the id of the message at which the chat stands, or "".
func (c *Chat) CurrentMessage() string { return currentID(c.Body) }

// upTo leaves the messages on the way to one, and stands there.
func upTo(body json.RawMessage, id string) (json.RawMessage, error) {
	t, err := parse(body)
	if err != nil {
		return nil, err
	}
	path := t.path(id)
	if len(path) == 0 {
		return nil, errdefs.New(errdefs.NotFound, "There is no such message in the chat.")
	}
	kept := members{}
	for i, m := range path {
		kept[m.ID] = t.messages[m.ID]
		t.messages = kept
		children := []string{}
		if i+1 < len(path) {
			children = append(children, path[i+1].ID)
		}
		if err := t.set(m.ID, map[string]any{"childrenIds": children}); err != nil {
			return nil, err
		}
	}
	delete(t.body, "messages") // the same in another form
	if t.history["currentId"], err = json.Marshal(id); err != nil {
		return nil, err
	}
	return t.join()
}

// over lays the members of one JSON object over those of another.
func over(base, top json.RawMessage) (json.RawMessage, error) {
	if len(top) == 0 || string(top) == "null" {
		return base, nil
	}
	var b, t members
	if json.Unmarshal(top, &t) != nil || t == nil {
		return nil, badBody("it is a JSON object.")
	}
	if len(base) == 0 || json.Unmarshal(base, &b) != nil || b == nil {
		return top, nil
	}
	for key, value := range t {
		b[key] = value
	}
	return json.Marshal(b)
}

// settle checks a body that is to be kept, and takes the title from it.
func (s *Service) settle(c *Chat) error {
	if len(c.Body) > s.cfg.MaxBody {
		return errdefs.Newf(errdefs.TooLarge, "The chat is larger than the %d MiB that are kept of one.", s.cfg.MaxBody>>20)
	}
	t, err := parse(c.Body)
	if err != nil {
		return err
	}
	for id, raw := range t.messages {
		if len(raw) == 0 || raw[0] != '{' || id == "" || len(id) > maxID {
			return badBody("each of its history.messages is a JSON object with an id.")
		}
	}
	var title string
	if raw := t.body["title"]; len(raw) > 0 && string(raw) != "null" && json.Unmarshal(raw, &title) != nil {
		return badBody("its title is a text.")
	}
	if c.Title = clip(title); c.Title == "" {
		c.Title = NewTitle
	}
	return nil
}

const (
	maxID    = 128  // bytes of the id of a message
	maxTitle = 1024 // bytes
)

// clip makes a title fit.
func clip(title string) string {
	title = strings.ReplaceAll(strings.TrimSpace(title), "\x00", "")
	if len(title) <= maxTitle {
		return title
	}
	cut := maxTitle
	for !utf8.RuneStart(title[cut]) {
		cut--
	}
	return title[:cut]
}

// maxWords bounds what is searched of one chat.
const maxWords = 1 << 20

// Words is the text in which a chat is searched: its title and what was said,
// in lower case.
func (c *Chat) Words() string {
	var b strings.Builder
	b.WriteString(strings.ToLower(c.Title))
	if t, err := parse(c.Body); err == nil {
		ids := make([]string, 0, len(t.messages))
		for id := range t.messages {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		for _, id := range ids {
			text := strings.ToLower(t.message(id).text())
			if b.Len()+len(text) > maxWords {
				break
			}
			b.WriteByte('\n')
			b.WriteString(text)
		}
	}
	return strings.ReplaceAll(strings.ToValidUTF8(b.String(), ""), "\x00", "")
}

package conversation

import (
	"context"
	"encoding/json"

	"portico/internal/access"
	"portico/internal/errdefs"
)

func noMessage() error {
	return errdefs.New(errdefs.NotFound, "There is no such message in the chat.")
}

// SetMessage replaces what a message says.
func (s *Service) SetMessage(ctx context.Context, who *access.Principal, id, messageID, content string) (*Chat, error) {
	return s.edit(ctx, who, id, messageID, func(*message) map[string]any { return map[string]any{"content": content} })
}

// Happen keeps what a client tells of a message: "message" adds to what it
// says, "replace" replaces it, "status" is one more step on the way. Other
// events leave nothing.
func (s *Service) Happen(ctx context.Context, who *access.Principal, id, messageID, kind string, data json.RawMessage) error {
	var said struct{ Content string }
	_ = json.Unmarshal(data, &said) // an event without content adds none
	switch kind {
	case "message", "chat:message:delta":
		_, err := s.edit(ctx, who, id, messageID, func(m *message) map[string]any { return map[string]any{"content": m.text() + said.Content} })
		return err
	case "replace", "chat:message":
		_, err := s.SetMessage(ctx, who, id, messageID, said.Content)
		return err
	case "status":
		_, err := s.edit(ctx, who, id, messageID, func(m *message) map[string]any {
			return map[string]any{"statusHistory": append(m.Status, data)}
		})
		return err
	}
	_, err := s.Own(ctx, who, id)
	return err
}

func (s *Service) edit(ctx context.Context, who *access.Principal, id, messageID string, change func(*message) map[string]any) (*Chat, error) {
	return s.change(ctx, who, id, func(c *Chat) error {
		t, err := parse(c.Body)
		if err != nil {
			return err
		}
		m := t.message(messageID)
		if m == nil {
			return noMessage()
		}
		if err := t.set(messageID, change(m)); err != nil {
			return err
		}
		c.Body, err = t.join()
		return err
	})
}

// Stats says how much was said in a chat, in numbers.
type Stats struct {
	Models           map[string]int // answers by each model on the way to the current message
	Messages         int            // on that way
	AllModels        map[string]int // in the whole tree
	AllMessages      int
	UserMessages     int
	AssistantAnswers int
	UserLength       float64 // mean number of characters
	AssistantLength  float64
	ResponseTime     float64 // mean, in seconds
	LastAt           int64
}

// Stats counts. A body that is not in order counts as empty.
func (c *Chat) Stats() Stats {
	st := Stats{Models: map[string]int{}, AllModels: map[string]int{}, LastAt: c.UpdatedAt}
	t, err := parse(c.Body)
	if err != nil {
		return st
	}
	for _, m := range t.path(currentID(c.Body)) {
		st.Messages++
		if m.Role == "assistant" && m.Model != "" {
			st.Models[m.Model]++
		}
	}
	var waits int
	for id := range t.messages {
		m := t.message(id)
		st.AllMessages++
		st.LastAt = max(st.LastAt, int64(m.Timestamp))
		switch m.Role {
		case "user":
			st.UserMessages++
			st.UserLength += float64(len([]rune(m.text())))
		case "assistant":
			st.AssistantAnswers++
			st.AssistantLength += float64(len([]rune(m.text())))
			if m.Model != "" {
				st.AllModels[m.Model]++
			}
			if asked := t.message(m.parent()); asked != nil && asked.Timestamp > 0 && m.Timestamp >= asked.Timestamp {
				waits++
				st.ResponseTime += m.Timestamp - asked.Timestamp
			}
		}
	}
	mean := func(sum *float64, n int) {
		if n > 0 {
			*sum /= float64(n)
		}
	}
	mean(&st.UserLength, st.UserMessages)
	mean(&st.AssistantLength, st.AssistantAnswers)
	mean(&st.ResponseTime, waits)
	return st
}

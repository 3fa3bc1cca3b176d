package api

import (
	"encoding/json"

	"portico/internal/api/route"
	"portico/internal/conversation"
)

// chatAnswer is a whole chat. What is not kept here is empty or null.
type chatAnswer struct {
	ID             string          `json:"id"`
	UserID         string          `json:"user_id"`
	Title          string          `json:"title"`
	Chat           json.RawMessage `json:"chat"`
	UpdatedAt      int64           `json:"updated_at"`
	CreatedAt      int64           `json:"created_at"`
	ShareID        *string         `json:"share_id"`
	Archived       bool            `json:"archived"`
	Pinned         bool            `json:"pinned"`
	Meta           json.RawMessage `json:"meta"`
	Variables      struct{}        `json:"variables"`
	FolderID       *string         `json:"folder_id"`
	Tasks          json.RawMessage `json:"tasks"`
	Summary        *string         `json:"summary"`
	CurrentMessage *string         `json:"current_message_id"`
	LastReadAt     *int64          `json:"last_read_at"`
}

func chatOf(c *conversation.Chat) (*chatAnswer, error) {
	a := &chatAnswer{
		ID: c.ID, UserID: c.UserID, Title: c.Title, Chat: c.Body, UpdatedAt: c.UpdatedAt, CreatedAt: c.CreatedAt,
		ShareID: textOrNull(c.ShareID), Archived: c.Archived, Pinned: c.Pinned, FolderID: textOrNull(c.FolderID),
		Tasks: json.RawMessage("null"), CurrentMessage: textOrNull(c.CurrentMessage()), LastReadAt: timeOrNull(c.ReadAt),
	}
	meta := map[string]json.RawMessage{}
	if len(c.Meta) > 0 {
		if err := json.Unmarshal(c.Meta, &meta); err != nil {
			return nil, err
		}
	}
	if len(c.Tags) > 0 {
		ids := make([]string, len(c.Tags))
		for i, t := range c.Tags {
			ids[i] = t.ID
		}
		raw, err := route.Marshal(ids)
		if err != nil {
			return nil, err
		}
		meta["tags"] = raw
	}
	var err error
	a.Meta, err = route.Marshal(meta)
	return a, err
}

func chatsOf(list []*conversation.Chat) ([]*chatAnswer, error) {
	all := make([]*chatAnswer, len(list))
	for i, c := range list {
		var err error
		if all[i], err = chatOf(c); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func timeOrNull(at int64) *int64 {
	if at == 0 {
		return nil
	}
	return &at
}

// chatTitle is a chat in a list.
type chatTitle struct {
	ID         string  `json:"id"`
	Title      string  `json:"title"`
	UpdatedAt  int64   `json:"updated_at"`
	CreatedAt  int64   `json:"created_at"`
	LastReadAt *int64  `json:"last_read_at"`
	ShareID    *string `json:"share_id,omitempty"`
	Snippet    *string `json:"snippet"`
	Active     bool    `json:"active"` // an answer is being written
}

func (a *API) titlesOf(list []*conversation.Chat) []chatTitle {
	titles := make([]chatTitle, len(list))
	for i, c := range list {
		titles[i] = chatTitle{ID: c.ID, Title: c.Title, UpdatedAt: c.UpdatedAt, CreatedAt: c.CreatedAt,
			LastReadAt: timeOrNull(c.ReadAt), ShareID: textOrNull(c.ShareID)}
	}
	return titles
}

// tagAnswer is a tag.
type tagAnswer struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	UserID string          `json:"user_id"`
	Meta   json.RawMessage `json:"meta"`
}

func chatTagsOf(list []conversation.Tag, userID string) []tagAnswer {
	tags := make([]tagAnswer, len(list))
	for i, t := range list {
		tags[i] = tagAnswer{ID: t.ID, Name: t.Name, UserID: userID, Meta: json.RawMessage("null")}
	}
	return tags
}

// chatStats is how much was said in a chat.
type chatStats struct {
	ID               string         `json:"id"`
	Models           map[string]int `json:"models"`
	Messages         int            `json:"message_count"`
	AllModels        map[string]int `json:"history_models"`
	AllMessages      int            `json:"history_message_count"`
	UserMessages     int            `json:"history_user_message_count"`
	AssistantAnswers int            `json:"history_assistant_message_count"`
	ResponseTime     float64        `json:"average_response_time"`
	UserLength       float64        `json:"average_user_message_content_length"`
	AssistantLength  float64        `json:"average_assistant_message_content_length"`
	Tags             []string       `json:"tags"`
	LastMessageAt    int64          `json:"last_message_at"`
	UpdatedAt        int64          `json:"updated_at"`
	CreatedAt        int64          `json:"created_at"`
}

type chatStatsPage struct {
	Items []chatStats `json:"items"`
	Total int         `json:"total"`
}

func statsOf(c *conversation.Chat) chatStats {
	st := c.Stats()
	out := chatStats{
		ID: c.ID, Models: st.Models, Messages: st.Messages, AllModels: st.AllModels, AllMessages: st.AllMessages,
		UserMessages: st.UserMessages, AssistantAnswers: st.AssistantAnswers, ResponseTime: st.ResponseTime,
		UserLength: st.UserLength, AssistantLength: st.AssistantLength, Tags: []string{},
		LastMessageAt: st.LastAt, UpdatedAt: c.UpdatedAt, CreatedAt: c.CreatedAt,
	}
	for _, t := range c.Tags {
		out.Tags = append(out.Tags, t.Name)
	}
	return out
}

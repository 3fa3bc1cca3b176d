package conversation

import (
	"context"
	"encoding/json"
	"strings"

	"portico/internal/access"
	"portico/internal/errdefs"
)

const (
	maxName = 256 // bytes of the name of a tag or a folder
	maxTags = 100 // of one chat
)

// TagID is a tag's name in the form by which it is found.
func TagID(name string) string { return strings.ToLower(strings.ReplaceAll(name, " ", "_")) }

// newTag refuses what is no tag. "none" is how chats without tags are found.
func newTag(name string) (Tag, error) {
	t := Tag{ID: TagID(strings.TrimSpace(name)), Name: strings.TrimSpace(name)}
	if t.ID == "" || t.ID == "none" || len(name) > maxName {
		return Tag{}, errdefs.Newf(errdefs.Invalid, "A tag has a name of up to %d bytes that is not \"none\".", maxName)
	}
	return t, nil
}

// AddTag puts a tag on a chat and gives all it has.
func (s *Service) AddTag(ctx context.Context, who *access.Principal, id, name string) ([]Tag, error) {
	c, err := s.Own(ctx, who, id)
	if err != nil {
		return nil, err
	}
	t, err := newTag(name)
	if err != nil {
		return nil, err
	}
	if len(c.Tags) >= maxTags {
		return nil, errdefs.Newf(errdefs.Invalid, "A chat has at most %d tags.", maxTags)
	}
	if err := s.cfg.Store.AddTag(ctx, id, t); err != nil {
		return nil, err
	}
	return s.tags(ctx, id)
}

// DropTag takes a tag off a chat, or all for "", and gives what it still has.
func (s *Service) DropTag(ctx context.Context, who *access.Principal, id, name string) ([]Tag, error) {
	if _, err := s.Own(ctx, who, id); err != nil {
		return nil, err
	}
	if err := s.cfg.Store.DropTag(ctx, id, TagID(strings.TrimSpace(name))); err != nil {
		return nil, err
	}
	return s.tags(ctx, id)
}

func (s *Service) tags(ctx context.Context, id string) ([]Tag, error) {
	c, err := s.cfg.Store.ChatByID(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.Tags, nil
}

// AllTags are the tags of the caller's chats.
func (s *Service) AllTags(ctx context.Context, who *access.Principal) ([]Tag, error) {
	return s.cfg.Store.TagsOf(ctx, who.UserID)
}

// takeMeta keeps what a client knows of a chat; its "tags" become tags.
func (c *Chat) takeMeta(meta json.RawMessage) error {
	if len(meta) == 0 || string(meta) == "null" {
		return nil
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(meta, &all) != nil {
		return errdefs.New(errdefs.Invalid, "The meta of a chat is a JSON object.")
	}
	var names []string
	if raw := all["tags"]; len(raw) > 0 && json.Unmarshal(raw, &names) != nil {
		return errdefs.New(errdefs.Invalid, "The tags of a chat are a list of names.")
	}
	if len(names) > maxTags {
		return errdefs.Newf(errdefs.Invalid, "A chat has at most %d tags.", maxTags)
	}
	seen := map[string]bool{}
	for _, name := range names {
		t, err := newTag(name)
		if err != nil {
			return err
		}
		if !seen[t.ID] {
			seen[t.ID] = true
			c.Tags = append(c.Tags, t)
		}
	}
	delete(all, "tags")
	var err error
	c.Meta, err = json.Marshal(all)
	return err
}

package store

import (
	"context"
	"strings"

	"portico/internal/conversation"
	"portico/internal/errdefs"
)

// chosen writes FROM and WHERE of the chats of a filter. Bodies are joined only
// when their words are searched.
func (s *statement) chosen(f *conversation.Filter) error {
	s.add(` FROM chats c WHERE c.user_id = ?`, f.UserID)
	if f.Archived != nil {
		s.add(` AND c.archived = ?`, *f.Archived)
	}
	if f.Pinned != nil {
		s.add(` AND c.pinned = ?`, *f.Pinned)
	}
	if f.Shared != nil {
		s.add(` AND (c.share_id IS NOT NULL) = ?`, *f.Shared)
	}
	if f.Folders != nil {
		s.add(` AND COALESCE(c.folder_id, '') IN (`)
		if err := s.addTexts(f.Folders); err != nil {
			return err
		}
		s.add(`)`)
	}
	for _, tag := range f.Tags {
		s.add(` AND EXISTS (SELECT 1 FROM chat_tags t WHERE t.chat_id = c.id AND t.tag_id = ?)`, tag)
	}
	if f.Untagged {
		s.add(` AND NOT EXISTS (SELECT 1 FROM chat_tags t WHERE t.chat_id = c.id)`)
	}
	if f.Query == "" {
		return nil
	}
	// The words begin with the title and, if anything was said, a line feed.
	words := `b.words`
	if f.InTitle {
		words = `substr(b.words, 1, length(c.title))`
	}
	s.add(` AND EXISTS (SELECT 1 FROM chat_bodies b WHERE b.chat_id = c.id AND `+s.d.position+`(`+words+`, ?) > 0)`, strings.ToLower(f.Query))
	return nil
}

const chatAfter query = `SELECT id FROM chats WHERE id > $1 ORDER BY id LIMIT 100`

// EachChat implements conversation.Store. What is deleted meanwhile is left out.
func (db *DB) EachChat(ctx context.Context, visit func(*conversation.Chat) error) error {
	for last := ""; ; {
		ids, err := list(ctx, db, scanText, chatAfter, last)
		if fault(&err, "chat"); err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			c, err := db.ChatByID(ctx, id)
			if errdefs.Is(err, errdefs.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if err := visit(c); err != nil {
				return err
			}
		}
		last = ids[len(ids)-1]
	}
}

var chatOrders = map[string]string{"": "c.updated_at", "title": "c.title", "created_at": "c.created_at"}

// ListChats implements conversation.Store.
func (db *DB) ListChats(ctx context.Context, f conversation.Filter) (_ []*conversation.Chat, err error) {
	defer fault(&err, "chat")
	s := statement{d: db.dialect}
	s.add(`SELECT ` + chatColumns)
	if err := s.chosen(&f); err != nil {
		return nil, err
	}
	s.add(order(chatOrders, f.OrderBy, "c.id", f.Ascending))
	if f.Limit > 0 {
		s.add(` LIMIT ? OFFSET ?`, f.Limit, max(f.Offset, 0))
	}
	return list(ctx, db, scanListed, s.query(), s.args...)
}

// CountChats implements conversation.Store.
func (db *DB) CountChats(ctx context.Context, f conversation.Filter) (_ int, err error) {
	defer fault(&err, "chat")
	s := statement{d: db.dialect}
	s.add(`SELECT count(*)`)
	if err := s.chosen(&f); err != nil {
		return 0, err
	}
	return one(ctx, db, scanInt, s.query(), s.args...)
}

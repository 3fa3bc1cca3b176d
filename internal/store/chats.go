package store

import (
	"context"
	"encoding/json"

	"portico/internal/access"
	"portico/internal/event"
)

// ChatRow is a saved chat as it is kept. The room of chats will declare its own
// shape and Store when it saves them; until then this keeps the table and its
// rights under test.
type ChatRow struct {
	ID, UserID, Title    string
	Chat, Meta           json.RawMessage // JSON objects
	FolderID, ShareID    string          // "" is none
	Archived, Pinned     bool
	CreatedAt, UpdatedAt int64
}

const (
	insertChat query = `INSERT INTO chats (id, user_id, title, chat, meta, folder_id, share_id, archived, pinned, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

	chatColumns       = `id, user_id, title, chat, meta, COALESCE(folder_id, ''), COALESCE(share_id, ''), archived, pinned, created_at, updated_at`
	chatByID    query = `SELECT ` + chatColumns + ` FROM chats WHERE id = $1`
	chatsOf     query = `SELECT ` + chatColumns + ` FROM chats WHERE user_id = $1 AND archived = $2
		ORDER BY updated_at DESC, id DESC LIMIT $3 OFFSET $4`
	updateChat query = `UPDATE chats SET title = $2, chat = $3, meta = $4, folder_id = $5, share_id = $6,
		archived = $7, pinned = $8, updated_at = $9 WHERE id = $1`
	deleteChat query = `DELETE FROM chats WHERE id = $1`
)

func scanChat(s scanner) (*ChatRow, error) {
	c := new(ChatRow)
	var chat, meta string
	err := s.Scan(&c.ID, &c.UserID, &c.Title, &chat, &meta, &c.FolderID, &c.ShareID, &c.Archived, &c.Pinned, &c.CreatedAt, &c.UpdatedAt)
	c.Chat, c.Meta = json.RawMessage(chat), json.RawMessage(meta)
	return c, err
}

// CreateChat inserts c; errdefs.Conflict when its id or share id is taken.
func (db *DB) CreateChat(ctx context.Context, c *ChatRow) (err error) {
	defer fault(&err, "chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Chat, c.ID)
		_, err := t.exec(ctx, insertChat, c.ID, c.UserID, c.Title, object(c.Chat), object(c.Meta),
			orNull(c.FolderID), orNull(c.ShareID), c.Archived, c.Pinned, c.CreatedAt, c.UpdatedAt)
		return err
	})
}

// ChatByID gives one chat, whoever owns it.
func (db *DB) ChatByID(ctx context.Context, id string) (_ *ChatRow, err error) {
	defer fault(&err, "chat")
	return one(ctx, db, scanChat, chatByID, id)
}

// ChatsOf gives a page of somebody's chats, latest first.
func (db *DB) ChatsOf(ctx context.Context, userID string, archived bool, offset, limit int) (_ []*ChatRow, err error) {
	defer fault(&err, "chat")
	return list(ctx, db, scanChat, chatsOf, userID, archived, limit, offset)
}

// UpdateChat replaces everything but id, owner and created_at.
func (db *DB) UpdateChat(ctx context.Context, c *ChatRow) (err error) {
	defer fault(&err, "chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Chat, c.ID)
		return t.must(ctx, updateChat, c.ID, c.Title, object(c.Chat), object(c.Meta),
			orNull(c.FolderID), orNull(c.ShareID), c.Archived, c.Pinned, c.UpdatedAt)
	})
}

// DeleteChat removes a chat and its grants.
func (db *DB) DeleteChat(ctx context.Context, id string) (err error) {
	defer fault(&err, "chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if err := t.dropGrants(ctx, access.Chat, id); err != nil {
			return err
		}
		t.emit(event.Chat, id)
		return t.must(ctx, deleteChat, id)
	})
}

package store

import (
	"context"
	"encoding/json"

	"portico/internal/access"
	"portico/internal/conversation"
	"portico/internal/errdefs"
	"portico/internal/event"
)

const (
	insertChat query = `INSERT INTO chats (id, user_id, title, meta, folder_id, archived, pinned, read_at, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	insertBody query = `INSERT INTO chat_bodies (chat_id, body, words) VALUES ($1, $2, $3)`

	chatColumns       = `c.id, c.user_id, c.title, c.meta, COALESCE(c.folder_id, ''), COALESCE(c.share_id, ''), c.archived, c.pinned, c.read_at, c.created_at, c.updated_at`
	chatByID    query = `SELECT ` + chatColumns + `, b.body FROM chats c JOIN chat_bodies b ON b.chat_id = c.id WHERE c.id = $1`

	// It changes nothing: whoever runs it is alone with the chat until the commit.
	holdChat   query = `UPDATE chats SET updated_at = updated_at WHERE id = $1`
	updateChat query = `UPDATE chats SET title = $2, meta = $3, updated_at = $4 WHERE id = $1`
	updateBody query = `UPDATE chat_bodies SET body = $2, words = $3 WHERE chat_id = $1`
	setChat    query = `UPDATE chats SET folder_id = CASE WHEN CAST($2 AS TEXT) IS NULL THEN folder_id ELSE NULLIF($2, '') END,
		read_at = COALESCE($3, read_at), archived = COALESCE($4, archived) WHERE id = $1`
	togglePinned   query = `UPDATE chats SET pinned = NOT pinned WHERE id = $1`
	toggleArchived query = `UPDATE chats SET archived = NOT archived WHERE id = $1`
	deleteChat     query = `DELETE FROM chats WHERE id = $1`
	archiveChatsOf query = `UPDATE chats SET archived = $2 WHERE user_id = $1 AND archived <> $2 RETURNING id`
	readChatsOf    query = `UPDATE chats SET read_at = $3 WHERE user_id = $1 AND ($2 = '' OR folder_id = $2)`

	insertTag query = `INSERT INTO chat_tags (chat_id, tag_id, name) VALUES ($1, $2, $3) ON CONFLICT (chat_id, tag_id) DO NOTHING`
	deleteTag query = `DELETE FROM chat_tags WHERE chat_id = $1 AND ($2 = '' OR tag_id = $2)`
	tagsUpon  query = `SELECT tag_id, name FROM chat_tags WHERE chat_id = $1 ORDER BY tag_id`
	tagsOf    query = `SELECT t.tag_id, min(t.name) FROM chats c JOIN chat_tags t ON t.chat_id = c.id WHERE c.user_id = $1 GROUP BY t.tag_id ORDER BY t.tag_id`
)

// scanChat reads a chat, and what is asked for behind its columns.
func scanChat(s scanner, more ...any) (*conversation.Chat, error) {
	c := new(conversation.Chat)
	var meta string
	err := s.Scan(append([]any{&c.ID, &c.UserID, &c.Title, &meta, &c.FolderID, &c.ShareID, &c.Archived, &c.Pinned, &c.ReadAt, &c.CreatedAt, &c.UpdatedAt}, more...)...)
	c.Meta = json.RawMessage(meta)
	return c, err
}

func scanListed(s scanner) (*conversation.Chat, error) { return scanChat(s) }

func scanWhole(s scanner) (*conversation.Chat, error) {
	var body string
	c, err := scanChat(s, &body)
	c.Body = json.RawMessage(body)
	return c, err
}

func scanTag(s scanner) (t conversation.Tag, err error) { err = s.Scan(&t.ID, &t.Name); return t, err }

// CreateChats implements conversation.Store.
func (db *DB) CreateChats(ctx context.Context, chats ...*conversation.Chat) (err error) {
	defer fault(&err, "chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		for _, c := range chats {
			t.emit(event.Chat, c.ID)
			if _, err := t.exec(ctx, insertChat, c.ID, c.UserID, c.Title, object(c.Meta), orNull(c.FolderID),
				c.Archived, c.Pinned, c.ReadAt, c.CreatedAt, c.UpdatedAt); err != nil {
				return err
			}
			if _, err := t.exec(ctx, insertBody, c.ID, object(c.Body), c.Words()); err != nil {
				return err
			}
			for _, tag := range c.Tags {
				if _, err := t.exec(ctx, insertTag, c.ID, tag.ID, tag.Name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// ChatByID implements conversation.Store.
func (db *DB) ChatByID(ctx context.Context, id string) (_ *conversation.Chat, err error) {
	defer fault(&err, "chat")
	c, err := one(ctx, db, scanWhole, chatByID, id)
	if err != nil {
		return nil, err
	}
	c.Tags, err = list(ctx, db, scanTag, tagsUpon, id)
	return c, err
}

// ChangeChat implements conversation.Store.
func (db *DB) ChangeChat(ctx context.Context, id string, change func(*conversation.Chat) error) (c *conversation.Chat, err error) {
	defer fault(&err, "chat")
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		if err := t.must(ctx, holdChat, id); err != nil {
			return err
		}
		if c, err = db.ChatByID(ctx, id); err != nil {
			return err
		}
		if err := change(c); err != nil {
			return err
		}
		t.emit(event.Chat, id)
		if err := t.must(ctx, updateChat, id, c.Title, object(c.Meta), c.UpdatedAt); err != nil {
			return err
		}
		return t.must(ctx, updateBody, id, object(c.Body), c.Words())
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// SetChat implements conversation.Store.
func (db *DB) SetChat(ctx context.Context, id string, c conversation.Change) error {
	return db.onChat(ctx, id, setChat, id, c.FolderID, c.ReadAt, c.Archived)
}

// ToggleChat implements conversation.Store.
func (db *DB) ToggleChat(ctx context.Context, id, what string) error {
	switch what {
	case "pinned":
		return db.onChat(ctx, id, togglePinned, id)
	case "archived":
		return db.onChat(ctx, id, toggleArchived, id)
	}
	return errdefs.Newf(errdefs.Internal, "a chat is not %s", what)
}

// onChat runs a statement that has to touch a chat.
func (db *DB) onChat(ctx context.Context, id string, q query, args ...any) (err error) {
	defer fault(&err, "chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Chat, id)
		return t.must(ctx, q, args...)
	})
}

// DeleteChat implements conversation.Store. Its copy goes along, and the
// grants upon that.
func (db *DB) DeleteChat(ctx context.Context, id string) (err error) {
	defer fault(&err, "chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		return t.dropChat(ctx, id)
	})
}

func (t *tx) dropChat(ctx context.Context, id string) error {
	if err := t.dropGrants(ctx, access.Chat, id); err != nil {
		return err
	}
	t.emit(event.Chat, id)
	return t.must(ctx, deleteChat, id)
}

// DeleteChatsOf implements conversation.Store.
func (db *DB) DeleteChatsOf(ctx context.Context, userID string) (err error) {
	defer fault(&err, "chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		return t.dropChats(ctx, conversation.Filter{UserID: userID})
	})
}

func (t *tx) dropChats(ctx context.Context, f conversation.Filter) error {
	chats, err := t.db.ListChats(ctx, f)
	if err != nil {
		return err
	}
	for _, c := range chats {
		if err := t.dropChat(ctx, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// ArchiveChatsOf implements conversation.Store.
func (db *DB) ArchiveChatsOf(ctx context.Context, userID string, archived bool) (err error) {
	defer fault(&err, "chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		ids, err := list(ctx, db, scanText, archiveChatsOf, userID, archived)
		t.emit(event.Chat, ids...)
		return err
	})
}

// ReadChatsOf implements conversation.Store.
func (db *DB) ReadChatsOf(ctx context.Context, userID, folderID string, now int64) (err error) {
	defer fault(&err, "chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, readChatsOf, userID, folderID, now)
		return err
	})
}

// AddTag implements conversation.Store.
func (db *DB) AddTag(ctx context.Context, chatID string, tag conversation.Tag) (err error) {
	defer fault(&err, "chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Chat, chatID)
		_, err := t.exec(ctx, insertTag, chatID, tag.ID, tag.Name)
		return err
	})
}

// DropTag implements conversation.Store.
func (db *DB) DropTag(ctx context.Context, chatID, tagID string) (err error) {
	defer fault(&err, "chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Chat, chatID)
		_, err := t.exec(ctx, deleteTag, chatID, tagID)
		return err
	})
}

// TagsOf implements conversation.Store.
func (db *DB) TagsOf(ctx context.Context, userID string) (_ []conversation.Tag, err error) {
	defer fault(&err, "tag")
	return list(ctx, db, scanTag, tagsOf, userID)
}

package store

import (
	"context"
	"encoding/json"

	"portico/internal/access"
	"portico/internal/conversation"
	"portico/internal/event"
)

const (
	insertShare query = `INSERT INTO chat_shares (id, chat_id, user_id, title, body, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET title = $4, body = $5, updated_at = $7`
	shareByID   query = `SELECT id, chat_id, user_id, title, body, created_at, updated_at FROM chat_shares WHERE id = $1`
	sharesOf    query = `SELECT id, chat_id FROM chat_shares WHERE user_id = $1 AND ($2 = '' OR chat_id = $2)`
	setShare    query = `UPDATE chats SET share_id = $2 WHERE id = $1`
	deleteShare query = `DELETE FROM chat_shares WHERE id = $1`
)

// ShareChat implements conversation.Store.
func (db *DB) ShareChat(ctx context.Context, sh *conversation.Shared, grants []access.Grant) (err error) {
	defer fault(&err, "shared chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if err := t.must(ctx, setShare, sh.ChatID, sh.ID); err != nil {
			return err
		}
		t.emit(event.Chat, sh.ChatID)
		if _, err := t.exec(ctx, insertShare, sh.ID, sh.ChatID, sh.UserID, sh.Title, object(sh.Body), sh.CreatedAt, sh.UpdatedAt); err != nil {
			return err
		}
		if len(grants) == 0 {
			return nil
		}
		return t.addGrants(ctx, access.Chat, sh.ChatID, grants)
	})
}

// SharedByID implements conversation.Store.
func (db *DB) SharedByID(ctx context.Context, id string) (_ *conversation.Shared, err error) {
	defer fault(&err, "shared chat")
	return one(ctx, db, func(s scanner) (*conversation.Shared, error) {
		sh := new(conversation.Shared)
		var body string
		err := s.Scan(&sh.ID, &sh.ChatID, &sh.UserID, &sh.Title, &body, &sh.CreatedAt, &sh.UpdatedAt)
		sh.Body = json.RawMessage(body)
		return sh, err
	}, shareByID, id)
}

// Unshare implements conversation.Store.
func (db *DB) Unshare(ctx context.Context, userID, chatID string) (err error) {
	defer fault(&err, "shared chat")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		pairs, err := list(ctx, db, func(s scanner) (p [2]string, err error) { err = s.Scan(&p[0], &p[1]); return p, err }, sharesOf, userID, chatID)
		if err != nil {
			return err
		}
		for _, p := range pairs {
			if err := t.dropGrants(ctx, access.Chat, p[1]); err != nil {
				return err
			}
			if err := t.must(ctx, deleteShare, p[0]); err != nil {
				return err
			}
			if err := t.must(ctx, setShare, p[1], nil); err != nil {
				return err
			}
			t.emit(event.Chat, p[1])
		}
		return nil
	})
}

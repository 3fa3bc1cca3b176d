package store

import (
	"context"
	"encoding/json"
	"slices"

	"portico/internal/conversation"
	"portico/internal/event"
)

const (
	folderColumns       = `id, user_id, parent_id, name, expanded, meta, data, created_at, updated_at`
	foldersOf     query = `SELECT ` + folderColumns + ` FROM folders WHERE user_id = $1 ORDER BY created_at, id`
	// It changes nothing: whoever runs it is alone with the person's folders,
	// also those that another one is about to make.
	holdPerson query = `UPDATE users SET created_at = created_at WHERE id = $1`
	saveFolder query = `INSERT INTO folders (` + folderColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (id) DO UPDATE SET parent_id = $3, name = $4, expanded = $5, meta = $6, data = $7, updated_at = $9`
	deleteFolder query = `DELETE FROM folders WHERE id = $1 AND user_id = $2`
	leaveFolder  query = `UPDATE chats SET folder_id = NULL WHERE folder_id = $1 AND user_id = $2 RETURNING id`
)

func scanFolder(s scanner) (*conversation.Folder, error) {
	f := new(conversation.Folder)
	var meta, data string
	err := s.Scan(&f.ID, &f.UserID, &f.ParentID, &f.Name, &f.Expanded, &meta, &data, &f.CreatedAt, &f.UpdatedAt)
	if meta != "" {
		f.Meta = json.RawMessage(meta)
	}
	if data != "" {
		f.Data = json.RawMessage(data)
	}
	return f, err
}

// FoldersOf implements conversation.Store.
func (db *DB) FoldersOf(ctx context.Context, userID string) (_ []*conversation.Folder, err error) {
	defer fault(&err, "folder")
	return list(ctx, db, scanFolder, foldersOf, userID)
}

// ChangeFolders implements conversation.Store.
func (db *DB) ChangeFolders(ctx context.Context, userID string, change func([]*conversation.Folder) (*conversation.Folder, error)) (f *conversation.Folder, err error) {
	defer fault(&err, "folder")
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		if err := t.must(ctx, holdPerson, userID); err != nil {
			return err
		}
		all, err := list(ctx, db, scanFolder, foldersOf, userID)
		if err != nil {
			return err
		}
		if f, err = change(all); err != nil {
			return err
		}
		_, err = t.exec(ctx, saveFolder, f.ID, userID, f.ParentID, f.Name, f.Expanded, string(f.Meta), string(f.Data), f.CreatedAt, f.UpdatedAt)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// DeleteFolders implements conversation.Store.
func (db *DB) DeleteFolders(ctx context.Context, userID string, ids []string, withChats bool) (err error) {
	defer fault(&err, "folder")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if withChats {
			if err := t.dropChats(ctx, conversation.Filter{UserID: userID, Folders: slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })}); err != nil {
				return err
			}
		}
		for _, id := range ids {
			left, err := list(ctx, db, scanText, leaveFolder, id, userID)
			if err != nil {
				return err
			}
			t.emit(event.Chat, left...)
			if _, err := t.exec(ctx, deleteFolder, id, userID); err != nil {
				return err
			}
		}
		return nil
	})
}

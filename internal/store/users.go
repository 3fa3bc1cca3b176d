package store

import (
	"context"
	"maps"
	"slices"
	"strings"

	"portico/internal/access"
	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/user"
)

const (
	userColumns = `id, email, name, role, profile_image_url, timezone, settings, info, last_active_at, created_at, updated_at,
		bio, gender, date_of_birth, status_emoji, status_message, status_expires_at`

	anyUser    query = `SELECT CASE WHEN EXISTS (SELECT 1 FROM users) THEN 1 ELSE 0 END`
	insertUser query = `INSERT INTO users (` + userColumns + `, search) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`

	userByID    query = `SELECT ` + userColumns + ` FROM users WHERE id = $1`
	userByEmail query = `SELECT ` + userColumns + ` FROM users WHERE email = $1`
	countUsers  query = `SELECT count(*) FROM users`

	updateUser query = `UPDATE users SET email = COALESCE($2, email), name = COALESCE($3, name), role = COALESCE($4, role),
		profile_image_url = COALESCE($5, profile_image_url), timezone = COALESCE($6, timezone),
		settings = COALESCE($7, settings), info = COALESCE($8, info), updated_at = $9,
		bio = COALESCE($10, bio), gender = COALESCE($11, gender), date_of_birth = COALESCE($12, date_of_birth),
		status_emoji = COALESCE($13, status_emoji), status_message = COALESCE($14, status_message),
		status_expires_at = COALESCE($15, status_expires_at)
		WHERE id = $1 RETURNING ` + userColumns
	updateSearch query = `UPDATE users SET search = $2 WHERE id = $1`
	touchUser    query = `UPDATE users SET last_active_at = $2 WHERE id = $1 AND last_active_at < $2`
	otherAdmins  query = `SELECT count(*) FROM users WHERE role = 'admin' AND id <> $1`

	deleteUser       query = `DELETE FROM users WHERE id = $1`
	deleteKeysOf     query = `DELETE FROM api_keys WHERE user_id = $1 RETURNING hash`
	deleteChatsOf    query = `DELETE FROM chats WHERE user_id = $1 RETURNING id`
	deleteGrantsTo   query = `DELETE FROM grants WHERE principal_type = $1 AND principal_id = $2 RETURNING resource_type || '/' || resource_id`
	deleteGrantsUpon query = `DELETE FROM grants WHERE resource_type = $1 AND resource_id = $2`
)

func scanUser(s scanner) (*user.User, error) {
	u := new(user.User)
	err := s.Scan(&u.ID, &u.Email, &u.Name, &u.Role, &u.ProfileImageURL, &u.Timezone,
		&u.Settings, &u.Info, &u.LastActiveAt, &u.CreatedAt, &u.UpdatedAt,
		&u.Bio, &u.Gender, &u.DateOfBirth, &u.StatusEmoji, &u.StatusMessage, &u.StatusExpiresAt)
	return u, err
}

// CreateUser implements user.Store.
func (db *DB) CreateUser(ctx context.Context, u *user.User, passwordHash, stamp string, first bool) (err error) {
	defer fault(&err, "user")
	email := strings.ToLower(u.Email)
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if first {
			if err := t.nobodyYet(ctx); err != nil {
				return err
			}
		}
		if _, err := t.exec(ctx, insertUser, u.ID, email, u.Name, string(u.Role), u.ProfileImageURL, u.Timezone,
			u.Settings, u.Info, u.LastActiveAt, u.CreatedAt, u.UpdatedAt,
			u.Bio, u.Gender, u.DateOfBirth, u.StatusEmoji, u.StatusMessage, u.StatusExpiresAt, searchText(u.Name, email)); err != nil {
			return err
		}
		if _, err := t.exec(ctx, insertCredential, u.ID, passwordHash, stamp); err != nil {
			return err
		}
		t.emit(event.User, u.ID)
		return nil
	})
}

func (t *tx) nobodyYet(ctx context.Context) error {
	if err := t.lockUsers(ctx); err != nil {
		return err
	}
	n, err := one(ctx, t.db, scanInt, anyUser)
	if err == nil && n > 0 {
		return errdefs.New(errdefs.Conflict, "There is an account already, so this is not the first one.")
	}
	return err
}

func (t *tx) lockUsers(ctx context.Context) error {
	if t.db.dialect.lockUsers == "" {
		return nil
	}
	_, err := t.exec(ctx, t.db.dialect.lockUsers)
	return err
}

// UserByID implements user.Store.
func (db *DB) UserByID(ctx context.Context, id string) (_ *user.User, err error) {
	defer fault(&err, "user")
	return one(ctx, db, scanUser, userByID, id)
}

// UserByEmail implements user.Store.
func (db *DB) UserByEmail(ctx context.Context, email string) (_ *user.User, err error) {
	defer fault(&err, "user")
	return one(ctx, db, scanUser, userByEmail, strings.ToLower(email))
}

// usersByID reads all people of a list of ids.
func (d *dialect) usersByID() query {
	return query(`SELECT ` + userColumns + ` FROM users WHERE id IN (` + d.texts + `)`)
}

// UsersByID implements user.Store.
func (db *DB) UsersByID(ctx context.Context, ids []string) (_ map[string]*user.User, err error) {
	defer fault(&err, "user")
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := list(ctx, db, scanUser, db.dialect.usersByID(), texts(ids))
	byID := make(map[string]*user.User, len(found))
	for _, u := range found {
		byID[u.ID] = u
	}
	return byID, err
}

// CountUsers implements user.Store.
func (db *DB) CountUsers(ctx context.Context) (_ int, err error) {
	defer fault(&err, "user")
	return one(ctx, db, scanInt, countUsers)
}

// UpdateUser implements user.Store.
func (db *DB) UpdateUser(ctx context.Context, id string, c user.Change, now int64) (u *user.User, err error) {
	defer fault(&err, "user")
	if c.Email != nil {
		email := strings.ToLower(*c.Email)
		c.Email = &email
	}
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		if c.Role != nil && *c.Role != user.Admin {
			if err := t.keepAnAdmin(ctx, id); err != nil {
				return err
			}
		}
		if u, err = one(ctx, db, scanUser, updateUser, id, c.Email, c.Name, (*string)(c.Role),
			c.ProfileImageURL, c.Timezone, c.Settings, c.Info, now,
			c.Bio, c.Gender, c.DateOfBirth, c.StatusEmoji, c.StatusMessage, c.StatusExpiresAt); err != nil {
			return err
		}
		if c.Email != nil || c.Name != nil {
			if err := t.must(ctx, updateSearch, id, searchText(u.Name, u.Email)); err != nil {
				return err
			}
		}
		t.emit(event.User, id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

// keepAnAdmin refuses when id is the only administrator.
func (t *tx) keepAnAdmin(ctx context.Context, id string) error {
	if err := t.lockUsers(ctx); err != nil {
		return err
	}
	u, err := one(ctx, t.db, scanUser, userByID, id)
	if err != nil || u.Role != user.Admin {
		return err
	}
	others, err := one(ctx, t.db, scanInt, otherAdmins, id)
	if err == nil && others == 0 {
		return errdefs.New(errdefs.Conflict, "This is the only administrator. Make somebody else one first.")
	}
	return err
}

// DeleteUser implements user.Store. With the person go their credential,
// tokens, keys, memberships and chats, what was granted to them, their private
// collections and their files that are in nobody else's.
func (db *DB) DeleteUser(ctx context.Context, id string) (err error) {
	defer fault(&err, "user")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if err := t.keepAnAdmin(ctx, id); err != nil {
			return err
		}
		hashes, err := list(ctx, db, scanHash, deleteKeysOf, id)
		if err != nil {
			return err
		}
		chats, err := list(ctx, db, scanText, deleteChatsOf, id)
		if err != nil {
			return err
		}
		for _, chat := range chats {
			if err := t.dropGrants(ctx, access.Chat, chat); err != nil {
				return err
			}
		}
		if err := t.dropPrincipal(ctx, "user", id); err != nil {
			return err
		}
		if err := t.dropFilesOf(ctx, id); err != nil {
			return err
		}
		t.emit(event.Chat, chats...)
		t.emit(event.Key, hashes...)
		t.emit(event.User, id)
		return t.must(ctx, deleteUser, id)
	})
}

// dropPrincipal removes what was granted to a person or a group.
func (t *tx) dropPrincipal(ctx context.Context, kind, id string) error {
	things, err := list(ctx, t.db, scanText, deleteGrantsTo, kind, id)
	t.emit(event.Grant, things...)
	return err
}

// dropGrants removes what was granted upon a thing.
func (t *tx) dropGrants(ctx context.Context, kind access.Kind, id string) error {
	n, err := t.exec(ctx, deleteGrantsUpon, string(kind), id)
	if n > 0 {
		t.emit(event.Grant, string(kind)+"/"+id)
	}
	return err
}

// TouchUsers implements user.Store. A later time that another server wrote stays.
func (db *DB) TouchUsers(ctx context.Context, at map[string]int64) (err error) {
	defer fault(&err, "user")
	return db.touch(ctx, touchUser, at)
}

// touch runs q for each id, in an order that all servers share, so that two of
// them cannot wait for each other.
func (db *DB) touch(ctx context.Context, q query, at map[string]int64) error {
	if len(at) == 0 {
		return nil
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		for _, id := range slices.Sorted(maps.Keys(at)) {
			if _, err := t.exec(ctx, q, id, at[id]); err != nil {
				return err
			}
		}
		return nil
	})
}

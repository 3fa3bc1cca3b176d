package store

import (
	"context"
	"encoding/json"

	"portico/internal/event"
	"portico/internal/user"
)

const (
	groupColumns = `id, user_id, name, description, permissions, created_at, updated_at`

	insertGroup query = `INSERT INTO groups (` + groupColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	groupByID   query = `SELECT ` + groupColumns + ` FROM groups WHERE id = $1`
	allGroups   query = `SELECT ` + groupColumns + ` FROM groups ORDER BY created_at, id`
	updateGroup query = `UPDATE groups SET name = $2, description = $3, permissions = $4, updated_at = $5 WHERE id = $1`
	deleteGroup query = `DELETE FROM groups WHERE id = $1`

	insertMember query = `INSERT INTO group_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT (group_id, user_id) DO NOTHING`
	deleteMember query = `DELETE FROM group_members WHERE group_id = $1 AND user_id = $2`
	membersOf    query = `SELECT user_id FROM group_members WHERE group_id = $1 ORDER BY user_id`
	groupsOf     query = `SELECT group_id FROM group_members WHERE user_id = $1 ORDER BY group_id`
)

func scanGroup(s scanner) (*user.Group, error) {
	g := new(user.Group)
	err := s.Scan(&g.ID, &g.UserID, &g.Name, &g.Description, &g.Permissions, &g.CreatedAt, &g.UpdatedAt)
	return g, err
}

// CreateGroup implements user.Store.
func (db *DB) CreateGroup(ctx context.Context, g *user.Group) (err error) {
	defer fault(&err, "group")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Group, g.ID)
		_, err := t.exec(ctx, insertGroup, g.ID, g.UserID, g.Name, g.Description, g.Permissions, g.CreatedAt, g.UpdatedAt)
		return err
	})
}

// GroupByID implements user.Store.
func (db *DB) GroupByID(ctx context.Context, id string) (_ *user.Group, err error) {
	defer fault(&err, "group")
	return one(ctx, db, scanGroup, groupByID, id)
}

// Groups implements user.Store, oldest first.
func (db *DB) Groups(ctx context.Context) (_ []*user.Group, err error) {
	defer fault(&err, "group")
	return list(ctx, db, scanGroup, allGroups)
}

// UpdateGroup implements user.Store: name, description, permissions and time.
func (db *DB) UpdateGroup(ctx context.Context, g *user.Group) (err error) {
	defer fault(&err, "group")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Group, g.ID)
		return t.must(ctx, updateGroup, g.ID, g.Name, g.Description, g.Permissions, g.UpdatedAt)
	})
}

// DeleteGroup implements user.Store. With the group goes what was granted to
// it, and its members are told of as changed.
func (db *DB) DeleteGroup(ctx context.Context, id string) (err error) {
	defer fault(&err, "group")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		members, err := list(ctx, db, scanText, membersOf, id)
		if err != nil {
			return err
		}
		if err := t.dropPrincipal(ctx, "group", id); err != nil {
			return err
		}
		t.emit(event.Group, id)
		t.emit(event.User, members...)
		return t.must(ctx, deleteGroup, id)
	})
}

// AddMembers implements user.Store; who is a member already stays one.
func (db *DB) AddMembers(ctx context.Context, groupID string, userIDs []string) error {
	return db.changeMembers(ctx, insertMember, groupID, userIDs)
}

// RemoveMembers implements user.Store; who is no member is no error.
func (db *DB) RemoveMembers(ctx context.Context, groupID string, userIDs []string) error {
	return db.changeMembers(ctx, deleteMember, groupID, userIDs)
}

func (db *DB) changeMembers(ctx context.Context, q query, groupID string, userIDs []string) (err error) {
	defer fault(&err, "group or user")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := one(ctx, db, scanGroup, groupByID, groupID); err != nil {
			return err
		}
		for _, id := range userIDs {
			if _, err := t.exec(ctx, q, groupID, id); err != nil {
				return err
			}
		}
		t.emit(event.Group, groupID)
		t.emit(event.User, userIDs...)
		return nil
	})
}

// Members implements user.Store, sorted.
func (db *DB) Members(ctx context.Context, groupID string) (_ []string, err error) {
	defer fault(&err, "group")
	return list(ctx, db, scanText, membersOf, groupID)
}

// GroupsOf implements user.Store, sorted.
func (db *DB) GroupsOf(ctx context.Context, userID string) (_ []string, err error) {
	defer fault(&err, "user")
	return list(ctx, db, scanText, groupsOf, userID)
}

// groupsOfEach reads the memberships of all people of a list.
func (d *dialect) groupsOfEach() query {
	return query(`SELECT user_id, group_id FROM group_members WHERE user_id IN (` + d.texts + `) ORDER BY user_id, group_id`)
}

// GroupsOfEach implements user.Store, each sorted.
func (db *DB) GroupsOfEach(ctx context.Context, userIDs []string) (_ map[string][]string, err error) {
	defer fault(&err, "user")
	if len(userIDs) == 0 {
		return nil, nil
	}
	ids, err := json.Marshal(userIDs)
	if err != nil {
		return nil, err
	}
	pairs, err := list(ctx, db, func(s scanner) (pair [2]string, err error) {
		err = s.Scan(&pair[0], &pair[1])
		return pair, err
	}, db.dialect.groupsOfEach(), string(ids))
	groups := make(map[string][]string, len(userIDs))
	for _, p := range pairs {
		groups[p[0]] = append(groups[p[0]], p[1])
	}
	return groups, err
}

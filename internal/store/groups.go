package store

import (
	"context"
	"encoding/json"
	"slices"

	"portico/internal/errdefs"
	"portico/internal/event"
	"portico/internal/user"
)

const (
	groupColumns = `id, user_id, name, description, permissions, data, meta, created_at, updated_at`

	insertGroup query = `INSERT INTO groups (` + groupColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	groupByID   query = `SELECT ` + groupColumns + ` FROM groups WHERE id = $1`
	allGroups   query = `SELECT ` + groupColumns + ` FROM groups ORDER BY created_at, id`
	updateGroup query = `UPDATE groups SET name = $2, description = $3, permissions = $4, data = $5, meta = $6, updated_at = $7 WHERE id = $1`
	deleteGroup query = `DELETE FROM groups WHERE id = $1`

	membersOf    query = `SELECT user_id FROM group_members WHERE group_id = $1 ORDER BY user_id`
	groupsOf     query = `SELECT group_id FROM group_members WHERE user_id = $1 ORDER BY group_id`
	countMembers query = `SELECT group_id, count(*) FROM group_members GROUP BY group_id`
	groupsWith   query = `SELECT ` + groupColumns + ` FROM groups
		WHERE id IN (SELECT group_id FROM group_members WHERE user_id = $1) ORDER BY id`
	peopleIn query = `SELECT ` + userColumns + ` FROM users
		WHERE id IN (SELECT user_id FROM group_members WHERE group_id = $1) ORDER BY search, id LIMIT $2`
)

func scanGroup(s scanner) (*user.Group, error) {
	g := new(user.Group)
	err := s.Scan(&g.ID, &g.UserID, &g.Name, &g.Description, &g.Permissions, &g.Data, &g.Meta, &g.CreatedAt, &g.UpdatedAt)
	return g, err
}

// CreateGroup implements user.Store.
func (db *DB) CreateGroup(ctx context.Context, g *user.Group) (err error) {
	defer fault(&err, "group")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Group, g.ID)
		_, err := t.exec(ctx, insertGroup, g.ID, g.UserID, g.Name, g.Description, g.Permissions, g.Data, g.Meta, g.CreatedAt, g.UpdatedAt)
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

// UpdateGroup implements user.Store: all but id, maker and created_at.
func (db *DB) UpdateGroup(ctx context.Context, g *user.Group) (err error) {
	defer fault(&err, "group")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Group, g.ID)
		return t.must(ctx, updateGroup, g.ID, g.Name, g.Description, g.Permissions, g.Data, g.Meta, g.UpdatedAt)
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

// membersAdded and membersRemoved change the membership of the people in the
// JSON array $1.
func (d *dialect) membersAdded() query {
	return query(`INSERT INTO group_members (group_id, user_id) SELECT $2, id FROM users WHERE id IN (` + d.texts + `)
		ON CONFLICT (group_id, user_id) DO NOTHING`)
}

func (d *dialect) membersRemoved() query {
	return query(`DELETE FROM group_members WHERE group_id = $2 AND user_id IN (` + d.texts + `)`)
}

// AddMembers implements user.Store; who is a member already stays one.
func (db *DB) AddMembers(ctx context.Context, groupID string, userIDs []string) error {
	return db.changeMembers(ctx, groupID, func(ctx context.Context, t *tx) error {
		return t.addMembers(ctx, groupID, userIDs)
	})
}

// RemoveMembers implements user.Store; who is no member is no error.
func (db *DB) RemoveMembers(ctx context.Context, groupID string, userIDs []string) error {
	return db.changeMembers(ctx, groupID, func(ctx context.Context, t *tx) error {
		return t.removeMembers(ctx, groupID, userIDs)
	})
}

// SetMembers implements user.Store.
func (db *DB) SetMembers(ctx context.Context, groupID string, userIDs []string) error {
	return db.changeMembers(ctx, groupID, func(ctx context.Context, t *tx) error {
		have, err := list(ctx, db, scanText, membersOf, groupID)
		if err != nil {
			return err
		}
		if err := t.removeMembers(ctx, groupID, without(have, userIDs)); err != nil {
			return err
		}
		return t.addMembers(ctx, groupID, without(userIDs, have))
	})
}

// without gives what is in all and not in some.
func without(all, some []string) []string {
	drop := make(map[string]bool, len(some))
	for _, id := range some {
		drop[id] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(id string) bool { return drop[id] })
}

func (t *tx) addMembers(ctx context.Context, groupID string, userIDs []string) error {
	if len(userIDs) == 0 {
		return nil
	}
	absent, err := t.db.absent(ctx, "users", userIDs)
	if err != nil {
		return err
	}
	if len(absent) > 0 {
		return errdefs.New(errdefs.NotFound, "There is nobody with one of these ids.")
	}
	t.emit(event.User, userIDs...)
	_, err = t.exec(ctx, t.db.dialect.membersAdded(), texts(userIDs), groupID)
	return err
}

func (t *tx) removeMembers(ctx context.Context, groupID string, userIDs []string) error {
	if len(userIDs) == 0 {
		return nil
	}
	t.emit(event.User, userIDs...)
	_, err := t.exec(ctx, t.db.dialect.membersRemoved(), texts(userIDs), groupID)
	return err
}

// changeMembers runs a change of who is in a group that is there.
func (db *DB) changeMembers(ctx context.Context, groupID string, change func(ctx context.Context, t *tx) error) (err error) {
	defer fault(&err, "group or user")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := one(ctx, db, scanGroup, groupByID, groupID); err != nil {
			return err
		}
		t.emit(event.Group, groupID)
		return change(ctx, t)
	})
}

// Members implements user.Store, sorted.
func (db *DB) Members(ctx context.Context, groupID string) (_ []string, err error) {
	defer fault(&err, "group")
	return list(ctx, db, scanText, membersOf, groupID)
}

// PeopleIn implements user.Store.
func (db *DB) PeopleIn(ctx context.Context, groupID string, limit int) (_ []*user.User, err error) {
	defer fault(&err, "group")
	return list(ctx, db, scanUser, peopleIn, groupID, limit)
}

// CountMembers implements user.Store.
func (db *DB) CountMembers(ctx context.Context) (_ map[string]int, err error) {
	defer fault(&err, "group")
	type size struct {
		id string
		n  int
	}
	sizes, err := list(ctx, db, func(s scanner) (c size, err error) {
		err = s.Scan(&c.id, &c.n)
		return c, err
	}, countMembers)
	counts := make(map[string]int, len(sizes))
	for _, c := range sizes {
		counts[c.id] = c.n
	}
	return counts, err
}

// GroupsOf implements user.Store, sorted.
func (db *DB) GroupsOf(ctx context.Context, userID string) (_ []string, err error) {
	defer fault(&err, "user")
	return list(ctx, db, scanText, groupsOf, userID)
}

// GroupsWith implements user.Store, sorted by id.
func (db *DB) GroupsWith(ctx context.Context, userID string) (_ []*user.Group, err error) {
	defer fault(&err, "user")
	return list(ctx, db, scanGroup, groupsWith, userID)
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
	pairs, err := list(ctx, db, func(s scanner) (pair [2]string, err error) {
		err = s.Scan(&pair[0], &pair[1])
		return pair, err
	}, db.dialect.groupsOfEach(), texts(userIDs))
	groups := make(map[string][]string, len(userIDs))
	for _, p := range pairs {
		groups[p[0]] = append(groups[p[0]], p[1])
	}
	return groups, err
}

// presentIn reads which ids of a list a table has.
func (d *dialect) presentIn(table string) query {
	return query(`SELECT id FROM ` + table + ` WHERE id IN (` + d.texts + `)`)
}

// absent gives those of the ids that a table has not.
func (db *DB) absent(ctx context.Context, table string, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	have, err := list(ctx, db, scanText, db.dialect.presentIn(table), texts(ids))
	return without(ids, have), err
}

// Absent implements user.Store.
func (db *DB) Absent(ctx context.Context, userIDs, groupIDs []string) (_ []string, err error) {
	defer fault(&err, "user or group")
	people, err := db.absent(ctx, "users", userIDs)
	if err != nil {
		return nil, err
	}
	groups, err := db.absent(ctx, "groups", groupIDs)
	return append(people, groups...), err
}

// texts is a list for the place of dialect.texts.
func texts(list []string) string {
	raw, err := json.Marshal(list)
	if err != nil {
		panic(err) // a slice of strings
	}
	return string(raw)
}

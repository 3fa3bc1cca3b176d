package store

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"portico/internal/user"
)

// The page is chosen by an index alone, and only its rows are read: the cost
// of a far page is that of its index.
const (
	pageHead = `SELECT ` + userColumns + ` FROM users JOIN (SELECT id AS chosen FROM users `
	pageTail = ` LIMIT $1 OFFSET $2) AS page ON id = chosen `
)

// userPage is the statement of one order. All parts of it are ours, never a
// caller's.
func (d *dialect) userPage(orderBy string, descending, found bool) query {
	columns := []string{"created_at", "id"}
	switch orderBy {
	case "name":
		columns[0] = "search"
	case "email", "role", "last_active_at":
		columns[0] = orderBy
	}
	order := "ORDER BY " + strings.Join(columns, ", ")
	if descending {
		order = "ORDER BY " + strings.Join(columns, " DESC, ") + " DESC"
	}
	where := ""
	if found {
		where = "WHERE " + d.position + "(search, $3) > 0 "
	}
	return query(pageHead + where + order + pageTail + order)
}

// countFound counts what userPage finds.
func (d *dialect) countFound() query {
	return query("SELECT count(*) FROM users WHERE " + d.position + "(search, $1) > 0")
}

// Users implements user.Store.
func (db *DB) Users(ctx context.Context, f user.Filter) (page []*user.User, total int, err error) {
	defer fault(&err, "user")
	if f.Limit <= 0 {
		f.Limit = 30
	}
	f.Offset = max(f.Offset, 0)
	if f.Query != "" {
		return db.findUsers(ctx, f)
	}
	total, err = one(ctx, db, scanInt, countUsers)
	if err != nil || f.Offset >= total {
		return nil, total, err
	}
	// The end is read from the end: no page costs more than the middle one.
	limit, backward := min(f.Limit, total-f.Offset), f.Offset > total/2
	offset, descending := f.Offset, f.Descending
	if backward {
		offset, descending = total-f.Offset-limit, !descending
	}
	page, err = list(ctx, db, scanUser, db.dialect.userPage(f.OrderBy, descending, false), limit, offset)
	if backward {
		slices.Reverse(page)
	}
	return page, total, err
}

// findUsers is Users for a query. A page that is not full tells the total.
func (db *DB) findUsers(ctx context.Context, f user.Filter) (page []*user.User, total int, err error) {
	text := strings.ToLower(f.Query)
	page, err = list(ctx, db, scanUser, db.dialect.userPage(f.OrderBy, f.Descending, true), f.Limit, f.Offset, text)
	if err != nil || (len(page) < f.Limit && (len(page) > 0 || f.Offset == 0)) {
		return page, f.Offset + len(page), err
	}
	total, err = one(ctx, db, scanInt, db.dialect.countFound(), text)
	return page, total, err
}

// searchText is the sort and search form of a person. It is cut short since
// it is indexed.
func searchText(name, email string) string {
	text := strings.ToLower(name) + "\n" + strings.ToLower(email)
	const most = 1024
	if len(text) <= most {
		return text
	}
	cut := most
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

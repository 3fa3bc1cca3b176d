package store

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"portico/internal/access"
	"portico/internal/knowledge"
)

// statement is a query that is put together of parts of our own, with the
// values that go into it. Nothing of a caller's is ever part of its text.
type statement struct {
	d    *dialect
	text strings.Builder
	args []any
}

// add writes text in which each ? is the next of the values.
func (s *statement) add(text string, args ...any) {
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			s.args = append(s.args, args[i-1])
			s.text.WriteString("$" + strconv.Itoa(len(s.args)))
		}
		s.text.WriteString(part)
	}
}

// addTexts writes the list of some texts, which is one value.
func (s *statement) addTexts(texts []string) error {
	if texts == nil {
		texts = []string{}
	}
	raw, err := json.Marshal(texts)
	if err != nil {
		return err
	}
	s.args = append(s.args, string(raw))
	s.text.WriteString(strings.Replace(s.d.texts, "$1", "$"+strconv.Itoa(len(s.args)), 1))
	return nil
}

func (s *statement) query() query { return query(s.text.String()) }

// visible writes the ids of the collections that somebody owns or was granted,
// each arm by an index of its own.
func (s *statement) visible(who *access.Principal) error {
	s.add(`SELECT id FROM knowledge WHERE user_id = ?
		UNION SELECT resource_id FROM grants WHERE principal_type = 'user' AND principal_id IN (?, '*') AND resource_type = 'knowledge' AND permission IN ('read', 'write')
		UNION SELECT resource_id FROM grants WHERE principal_type = 'anyone' AND resource_type = 'knowledge' AND permission IN ('read', 'write')`, who.UserID, who.UserID)
	if len(who.Groups) == 0 {
		return nil
	}
	s.add(` UNION SELECT resource_id FROM grants WHERE principal_type = 'group' AND resource_type = 'knowledge' AND permission IN ('read', 'write') AND principal_id IN (`)
	if err := s.addTexts(who.Groups); err != nil {
		return err
	}
	s.add(`)`)
	return nil
}

// found writes FROM and WHERE of the collections of a filter.
func (s *statement) found(f *knowledge.Filter) error {
	if f.All {
		s.add(` FROM knowledge k WHERE k.kind = 'collection'`)
	} else {
		s.add(` FROM (`)
		if err := s.visible(f.Who); err != nil {
			return err
		}
		s.add(`) AS v CROSS JOIN knowledge k WHERE k.id = v.id AND k.kind = 'collection'`)
	}
	if f.Mine {
		s.add(` AND k.user_id = ?`, f.Who.UserID)
	}
	if f.Shared {
		s.add(` AND k.user_id <> ?`, f.Who.UserID)
	}
	if f.Query != "" {
		s.add(` AND `+s.d.position+`(k.search, ?) > 0`, strings.ToLower(f.Query))
	}
	return nil
}

// order writes the order of a list, with the id for what is equal.
func order(columns map[string]string, by, id string, ascending bool) string {
	column, ok := columns[by]
	if !ok {
		column = columns[""]
	}
	if ascending {
		return " ORDER BY " + column + ", " + id
	}
	return " ORDER BY " + column + " DESC, " + id + " DESC"
}

var knowledgeOrders = map[string]string{"": "k.updated_at", "name": "k.search", "created_at": "k.created_at"}

// KnowledgeList implements knowledge.Store. Of a page's collections alone the
// files are counted and the grants read.
func (db *DB) KnowledgeList(ctx context.Context, f knowledge.Filter) (page []*knowledge.Listed, total int, err error) {
	defer fault(&err, "collection")
	count := statement{d: db.dialect}
	count.add(`SELECT count(*)`)
	if err := count.found(&f); err != nil {
		return nil, 0, err
	}
	if total, err = one(ctx, db, scanInt, count.query(), count.args...); err != nil {
		return nil, 0, err
	}
	f.Offset = max(f.Offset, 0)
	if f.Limit <= 0 {
		f.Limit = 30
	}
	if f.Offset >= total {
		return nil, total, nil
	}
	in := statement{d: db.dialect}
	in.add(`SELECT ` + knowledgeColumns + `, (SELECT count(*) FROM knowledge_files l WHERE l.knowledge_id = k.id) FROM (SELECT k.id AS chosen`)
	if err := in.found(&f); err != nil {
		return nil, 0, err
	}
	sorted := order(knowledgeOrders, f.OrderBy, "k.id", f.Ascending)
	in.add(sorted+` LIMIT ? OFFSET ?) AS page CROSS JOIN knowledge k WHERE k.id = page.chosen`+sorted, f.Limit, f.Offset)
	page, err = list(ctx, db, func(s scanner) (*knowledge.Listed, error) {
		l := &knowledge.Listed{Knowledge: new(knowledge.Knowledge)}
		return l, scanKnowledgeInto(s, l.Knowledge, &l.Files)
	}, in.query(), in.args...)
	if err != nil {
		return nil, 0, err
	}
	return page, total, db.addGrantsTo(ctx, page)
}

// grantsOfEach reads the grants upon the things of a list.
func (d *dialect) grantsOfEach() query {
	return query(`SELECT ` + grantColumns + ` FROM grants WHERE resource_type = $2 AND resource_id IN (` + d.texts + `)
		ORDER BY principal_type, principal_id, permission`)
}

func (db *DB) addGrantsTo(ctx context.Context, page []*knowledge.Listed) error {
	ids := make([]string, len(page))
	byID := make(map[string]*knowledge.Listed, len(page))
	for i, l := range page {
		ids[i], byID[l.ID] = l.ID, l
	}
	raw, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	grants, err := list(ctx, db, scanGrant, db.dialect.grantsOfEach(), string(raw), string(access.Knowledge))
	for _, g := range grants {
		l := byID[g.ResourceID]
		l.Grants = append(l.Grants, g)
	}
	return err
}

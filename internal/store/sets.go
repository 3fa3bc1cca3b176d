package store

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"portico/internal/event"
	"portico/internal/file"
	"portico/internal/retrieval"
	"portico/internal/retrieval/index"
)

const (
	setColumns = `id, file_id, profile, space, chunks, text_seq, vector_seq, error`

	insertSet query = `INSERT INTO sets (` + setColumns + `, created_at) VALUES ($1, $2, $3, $4, $5, 0, 0, '', $6)`
	dropSetOf query = `DELETE FROM sets WHERE file_id = $1 AND profile = $2 RETURNING id`
	showText  query = `UPDATE sets SET text_seq = $2 WHERE id = $1`
	failSet   query = `UPDATE sets SET error = $2 WHERE id = $1`
	deleteSet query = `DELETE FROM sets WHERE id = $1`

	setOf        query = `SELECT ` + setColumns + ` FROM sets WHERE file_id = $1 AND profile = $2`
	textAfter    query = `SELECT ` + setColumns + ` FROM sets WHERE text_seq > $1 ORDER BY text_seq LIMIT $2`
	vectorsAfter query = `SELECT ` + setColumns + ` FROM sets WHERE vector_seq > $1 ORDER BY vector_seq LIMIT $2`

	// A set is committed with its text visible, so that the two indexes which
	// cover this have all that is asked.
	setsOfKnowledge query = `SELECT COALESCE(string_agg(CAST(s.id AS TEXT), ','), '') FROM knowledge_files k JOIN sets s ON s.file_id = k.file_id AND s.profile = $2
		WHERE k.knowledge_id = $1`
)

// setsOfFiles is the sets of the files in the JSON array $1 under profile $2.
func (d *dialect) setsOfFiles() query {
	return query(`SELECT COALESCE(string_agg(CAST(id AS TEXT), ','), '') FROM sets WHERE file_id IN (` + d.texts + `) AND profile = $2`)
}

// liveSets are those of the ids in the JSON array $1 that exist.
func (d *dialect) liveSets() query {
	return query(`SELECT COALESCE(string_agg(CAST(id AS TEXT), ','), '') FROM sets WHERE id IN (` + d.numbers + `)`)
}

// filesOfSets pairs the sets in the JSON array $1 with their files.
func (d *dialect) filesOfSets() query {
	return query(`SELECT id, file_id FROM sets WHERE id IN (` + d.numbers + `)`)
}

// unusedSets are sets of profiles that are not in the JSON array $1. It goes by
// the few profiles, not over all sets.
func (d *dialect) unusedSets() query {
	return query(`SELECT s.id FROM profiles p JOIN sets s ON s.profile = p.id WHERE p.id NOT IN (` + d.texts + `) LIMIT $2`)
}

func scanSet(s scanner) (set retrieval.Set, err error) {
	err = s.Scan(&set.ID, &set.FileID, &set.Profile, &set.Space, &set.Chunks, &set.TextSeq, &set.VectorSeq, &set.Error)
	return set, err
}

func setName(id int64) string { return strconv.FormatInt(id, 10) }

// ReplaceSet implements retrieval.Store. It fills in the set's id, number of
// chunks and sequence.
func (db *DB) ReplaceSet(ctx context.Context, s *retrieval.Set, rows []retrieval.Row) (err error) {
	defer fault(&err, "file")
	made := retrieval.Set{FileID: s.FileID, Profile: s.Profile, Space: s.Space, Chunks: len(rows)}
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		// The counter's row also lets one at a time replace the set of a file.
		if made.ID, err = t.next(ctx, countSet); err != nil {
			return err
		}
		old, err := list(ctx, db, scanInt64, dropSetOf, s.FileID, s.Profile)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, insertSet, made.ID, s.FileID, s.Profile, s.Space, len(rows), db.seconds()); err != nil {
			return err
		}
		if err := t.addChunks(ctx, made.ID, rows); err != nil {
			return err
		}
		if made.TextSeq, err = t.next(ctx, countSeq); err != nil {
			return err
		}
		t.emit(event.Set, setName(made.ID))
		for _, id := range old {
			t.emit(event.Set, setName(id))
		}
		return t.must(ctx, showText, made.ID, made.TextSeq)
	})
	if err == nil {
		*s = made
	}
	return err
}

// FailSet implements retrieval.Store.
func (db *DB) FailSet(ctx context.Context, set int64, reason string) (err error) {
	defer fault(&err, "set of chunks")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Set, setName(set))
		return t.must(ctx, failSet, set, reason)
	})
}

// SetOf implements retrieval.Store.
func (db *DB) SetOf(ctx context.Context, fileID, profile string) (_ *retrieval.Set, err error) {
	defer fault(&err, "set of chunks")
	set, err := one(ctx, db, scanSet, setOf, fileID, profile)
	if err != nil {
		return nil, err
	}
	return &set, nil
}

// ScopeOfFiles implements retrieval.Store.
func (db *DB) ScopeOfFiles(ctx context.Context, fileIDs []string, profile string) (_ index.Scope, err error) {
	defer fault(&err, "file")
	ids, err := json.Marshal(fileIDs)
	if err != nil || len(fileIDs) == 0 {
		return nil, err
	}
	return db.scope(ctx, db.dialect.setsOfFiles(), string(ids), profile)
}

// ScopeOfKnowledge implements retrieval.Store.
func (db *DB) ScopeOfKnowledge(ctx context.Context, knowledgeID, profile string) (_ index.Scope, err error) {
	defer fault(&err, "collection")
	return db.scope(ctx, setsOfKnowledge, knowledgeID, profile)
}

// LiveSets implements retrieval.Store.
func (db *DB) LiveSets(ctx context.Context, ids []int64) (_ index.Scope, err error) {
	defer fault(&err, "set of chunks")
	if len(ids) == 0 {
		return nil, nil
	}
	return db.scope(ctx, db.dialect.liveSets(), numbers(ids))
}

// scope reads ids that come as one text: a row for each of ten thousand would
// cost more than finding them.
func (db *DB) scope(ctx context.Context, q query, args ...any) (index.Scope, error) {
	text, err := one(ctx, db, scanText, q, args...)
	if err != nil || text == "" {
		return nil, err
	}
	ids := make(index.Scope, 0, strings.Count(text, ",")+1)
	for word := range strings.SplitSeq(text, ",") {
		id, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// numbers is a list of ids as a JSON array.
func numbers(ids []int64) string {
	b := make([]byte, 1, 2+8*len(ids))
	b[0] = '['
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, id, 10)
	}
	return string(append(b, ']'))
}

// TextAfter implements retrieval.Store.
func (db *DB) TextAfter(ctx context.Context, seq int64, limit int) (_ []retrieval.Set, err error) {
	defer fault(&err, "set of chunks")
	return list(ctx, db, scanSet, textAfter, seq, limit)
}

// VectorsAfter implements retrieval.Store.
func (db *DB) VectorsAfter(ctx context.Context, seq int64, limit int) (_ []retrieval.Set, err error) {
	defer fault(&err, "set of chunks")
	return list(ctx, db, scanSet, vectorsAfter, seq, limit)
}

// UnusedSets implements retrieval.Store.
func (db *DB) UnusedSets(ctx context.Context, keep []string, limit int) (_ []int64, err error) {
	defer fault(&err, "set of chunks")
	if keep == nil {
		keep = []string{}
	}
	ids, err := json.Marshal(keep)
	if err != nil {
		return nil, err
	}
	return list(ctx, db, scanInt64, db.dialect.unusedSets(), string(ids), limit)
}

// setsAtOnce bounds a transaction that deletes, so that other writers get
// their turn.
const setsAtOnce = 32

// DeleteSets implements retrieval.Store. Sets that are gone already are fine.
func (db *DB) DeleteSets(ctx context.Context, ids []int64) (err error) {
	defer fault(&err, "set of chunks")
	for batch := range slices.Chunk(ids, setsAtOnce) {
		if err := db.write(ctx, func(ctx context.Context, t *tx) error {
			for _, id := range batch {
				n, err := t.exec(ctx, deleteSet, id)
				if err != nil {
					return err
				}
				if n > 0 {
					t.emit(event.Set, setName(id))
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// FilesOfSets implements retrieval.Store.
func (db *DB) FilesOfSets(ctx context.Context, ids []int64) (_ map[int64]*file.File, err error) {
	defer fault(&err, "file")
	if len(ids) == 0 {
		return nil, nil
	}
	type pair struct {
		set  int64
		file string
	}
	pairs, err := list(ctx, db, func(s scanner) (p pair, err error) { err = s.Scan(&p.set, &p.file); return p, err },
		db.dialect.filesOfSets(), numbers(ids))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(pairs))
	for i, p := range pairs {
		names[i] = p.file
	}
	slices.Sort(names)
	files, err := db.FilesByID(ctx, slices.Compact(names))
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*file.File, len(files))
	for _, f := range files {
		byID[f.ID] = f
	}
	found := make(map[int64]*file.File, len(pairs))
	for _, p := range pairs {
		if f := byID[p.file]; f != nil {
			found[p.set] = f
		}
	}
	return found, nil
}

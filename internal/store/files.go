package store

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"portico/internal/event"
	"portico/internal/file"
	"portico/internal/retrieval"
)

var _ file.Store = (*DB)(nil)

const (
	insertFile query = `INSERT INTO files (id, user_id, kind, filename, search, content_type, size, blob, metadata,
			status, error, document, text_hash, warnings, target_knowledge, target_directory, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`

	// fileColumns are those of a table or join in which files is f.
	fileColumns = `f.id, f.user_id, f.kind, f.filename, f.content_type, f.size, f.blob, f.metadata, f.status, f.error,
		f.document, f.text_hash, f.warnings, f.target_knowledge, f.target_directory, f.created_at, f.updated_at`

	fileByID   query = `SELECT ` + fileColumns + ` FROM files f WHERE f.id = $1`
	renameFile query = `UPDATE files SET filename = $2, search = $3, updated_at = $4 WHERE id = $1`
	setOutcome query = `UPDATE files SET status = $2, error = $3, document = COALESCE($4, document),
		text_hash = COALESCE($5, text_hash), warnings = COALESCE($6, warnings), updated_at = $7 WHERE id = $1`

	filesWithTarget query = `SELECT ` + fileColumns + ` FROM files f WHERE f.target_knowledge <> '' ORDER BY f.created_at, f.id`
	dropTarget      query = `UPDATE files SET target_knowledge = '', target_directory = '' WHERE id = $1`

	filesWithoutWork query = `SELECT f.id FROM files f WHERE f.status IN ('pending', 'processing')
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.file_id = f.id) ORDER BY f.id`
	requeueFile query = `UPDATE files SET status = 'pending', error = '', updated_at = $2 WHERE id = $1 RETURNING user_id`

	countAllFiles query = `SELECT count(*), CAST(COALESCE(sum(size), 0) AS BIGINT) FROM files`
	countFilesOf  query = countAllFiles + ` WHERE user_id = $1`

	linksOfFile query = `SELECT l.knowledge_id, k.user_id, l.user_id FROM knowledge_files l JOIN knowledge k ON k.id = l.knowledge_id
		WHERE l.file_id = $1 ORDER BY l.knowledge_id`

	blobUsed   query = `SELECT CASE WHEN EXISTS (SELECT 1 FROM files WHERE blob = $1) OR EXISTS (SELECT 1 FROM files WHERE document = $1) THEN 1 ELSE 0 END`
	blobsInUse query = `SELECT id, blob, document FROM files WHERE id > $1 ORDER BY id LIMIT 1000`
)

// usedBlobs are those in the JSON array $1 that a file refers to.
func (d *dialect) usedBlobs() query {
	return query(`SELECT blob FROM files WHERE blob IN (` + d.texts + `) UNION SELECT document FROM files WHERE document IN (` + d.texts + `)`)
}

// filesByID are the files in the JSON array $1.
func (d *dialect) filesByID() query {
	return query(`SELECT ` + fileColumns + ` FROM files f WHERE f.id IN (` + d.texts + `)`)
}

// partsOf sums up the sets of each file in the JSON array $1.
func (d *dialect) partsOf() query {
	return query(`SELECT file_id, max(CASE WHEN text_seq > 0 THEN 1 ELSE 0 END), max(CASE WHEN vector_seq > 0 THEN 1 ELSE 0 END),
		max(CASE WHEN space <> '' THEN 1 ELSE 0 END), max(error) FROM sets WHERE file_id IN (` + d.texts + `) GROUP BY file_id`)
}

// filePage is the statement of one page: $1 of them from $2 on. All parts of
// it are ours. The page is chosen by an index alone, and only its rows are read.
func filePage(f file.Filter, backward bool) query {
	way := " DESC"
	if backward {
		way = ""
	}
	return query(`SELECT ` + fileColumns + ` FROM files f JOIN (SELECT id AS chosen FROM files` + fileFilter(f, 3) +
		` ORDER BY created_at` + way + `, id` + way + ` LIMIT $1 OFFSET $2) AS page ON f.id = chosen ORDER BY f.created_at` + way + `, f.id` + way)
}

// countFiles counts what filePage finds.
func countFiles(f file.Filter) query { return query(`SELECT count(*) FROM files` + fileFilter(f, 1)) }

// fileFilter is the condition of a filter, whose arguments begin at $n.
func fileFilter(f file.Filter, n int) string {
	where := ` WHERE kind = 'upload'`
	if f.UserID != "" {
		where += ` AND user_id = $` + strconv.Itoa(n)
		n++
	}
	if f.Glob != "" {
		where += ` AND search LIKE $` + strconv.Itoa(n) + ` ESCAPE '\'`
	}
	return where
}

// filterArgs are the arguments of fileFilter, after others.
func filterArgs(f file.Filter, args ...any) []any {
	if f.UserID != "" {
		args = append(args, f.UserID)
	}
	if f.Glob != "" {
		args = append(args, likeGlob(f.Glob))
	}
	return args
}

func scanFile(s scanner) (*file.File, error) {
	f := new(file.File)
	return f, scanFileInto(s, f)
}

// scanFileInto reads fileColumns, and more columns behind them.
func scanFileInto(s scanner, f *file.File, more ...any) error {
	var metadata, warnings string
	dest := []any{&f.ID, &f.UserID, &f.Kind, &f.Filename, &f.ContentType, &f.Size, &f.Blob, &metadata, &f.Status, &f.Error,
		&f.Document, &f.TextHash, &warnings, &f.Target.KnowledgeID, &f.Target.DirectoryID, &f.CreatedAt, &f.UpdatedAt}
	if err := s.Scan(append(dest, more...)...); err != nil {
		return err
	}
	f.Metadata = json.RawMessage(metadata)
	if warnings == "" || warnings == "[]" {
		return nil
	}
	return json.Unmarshal([]byte(warnings), &f.Warnings)
}

// warningsText is how warnings are kept: as a JSON array.
func warningsText(list []string) (string, error) {
	if len(list) == 0 {
		return "[]", nil
	}
	raw, err := json.Marshal(list)
	return string(raw), err
}

// CreateFile implements file.Store.
func (db *DB) CreateFile(ctx context.Context, f *file.File, job bool) (err error) {
	defer fault(&err, "file")
	warnings, err := warningsText(f.Warnings)
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, insertFile, f.ID, f.UserID, f.Kind, f.Filename, nameSearch(f.Filename), f.ContentType, f.Size, f.Blob,
			object(f.Metadata), string(f.Status), f.Error, f.Document, f.TextHash, warnings,
			f.Target.KnowledgeID, f.Target.DirectoryID, f.CreatedAt, f.UpdatedAt); err != nil {
			return err
		}
		t.emit(event.File, f.ID)
		if !job {
			return nil
		}
		return t.addJob(ctx, &retrieval.Job{Kind: retrieval.ReadFile, FileID: f.ID, UserID: f.UserID}, f.CreatedAt)
	})
}

// FileByID implements file.Store.
func (db *DB) FileByID(ctx context.Context, id string) (_ *file.File, err error) {
	defer fault(&err, "file")
	return one(ctx, db, scanFile, fileByID, id)
}

// FilesByID implements file.Store.
func (db *DB) FilesByID(ctx context.Context, ids []string) (_ []*file.File, err error) {
	defer fault(&err, "file")
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := list(ctx, db, scanFile, db.dialect.filesByID(), jsonTexts(ids))
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*file.File, len(found))
	for _, f := range found {
		byID[f.ID] = f
	}
	ordered := make([]*file.File, 0, len(found))
	for _, id := range ids {
		if f := byID[id]; f != nil {
			ordered = append(ordered, f)
		}
	}
	return ordered, nil
}

// Files implements file.Store, newest first. A limit of 0 counts only.
func (db *DB) Files(ctx context.Context, f file.Filter) (page []*file.File, total int, err error) {
	defer fault(&err, "file")
	f.Offset = max(f.Offset, 0)
	if f.Glob != "" && f.Limit > 0 {
		return db.findFiles(ctx, f)
	}
	total, err = one(ctx, db, scanInt, countFiles(f), filterArgs(f)...)
	if err != nil || f.Offset >= total || f.Limit <= 0 {
		return nil, total, err
	}
	// The end is read from the end: no page costs more than the middle one.
	limit, offset, backward := min(f.Limit, total-f.Offset), f.Offset, f.Offset > total/2
	if backward {
		offset = total - f.Offset - limit
	}
	page, err = list(ctx, db, scanFile, filePage(f, backward), filterArgs(f, limit, offset)...)
	if backward {
		slices.Reverse(page)
	}
	return page, total, err
}

// findFiles is Files for a glob. A page that is not full tells the total.
func (db *DB) findFiles(ctx context.Context, f file.Filter) (page []*file.File, total int, err error) {
	page, err = list(ctx, db, scanFile, filePage(f, false), filterArgs(f, f.Limit, f.Offset)...)
	if err != nil || len(page) < f.Limit && (len(page) > 0 || f.Offset == 0) {
		return page, f.Offset + len(page), err
	}
	total, err = one(ctx, db, scanInt, countFiles(f), filterArgs(f)...)
	return page, total, err
}

// CountFiles implements file.Store.
func (db *DB) CountFiles(ctx context.Context, userID string) (n int, bytes int64, err error) {
	defer fault(&err, "file")
	q, args := countFilesOf, []any{userID}
	if userID == "" {
		q, args = countAllFiles, nil
	}
	_, err = one(ctx, db, func(s scanner) (struct{}, error) { return struct{}{}, s.Scan(&n, &bytes) }, q, args...)
	return n, bytes, err
}

// RenameFile implements file.Store.
func (db *DB) RenameFile(ctx context.Context, id, filename string, now int64) (err error) {
	defer fault(&err, "file")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.File, id)
		return t.must(ctx, renameFile, id, filename, nameSearch(filename), now)
	})
}

// SetOutcome implements file.Store. Warnings that are empty but not nil take
// those that were away.
func (db *DB) SetOutcome(ctx context.Context, id string, o file.Outcome, now int64) (err error) {
	defer fault(&err, "file")
	var warnings string
	if o.Warnings != nil {
		if warnings, err = warningsText(o.Warnings); err != nil {
			return err
		}
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.File, id)
		return t.must(ctx, setOutcome, id, string(o.Status), o.Error, orNull(o.Document), orNull(o.TextHash), orNull(warnings), now)
	})
}

// LinkedKnowledge implements file.Store.
func (db *DB) LinkedKnowledge(ctx context.Context, fileID string) (_ []file.Link, err error) {
	defer fault(&err, "file")
	return list(ctx, db, func(s scanner) (l file.Link, err error) {
		err = s.Scan(&l.KnowledgeID, &l.KnowledgeOwner, &l.UserID)
		return l, err
	}, linksOfFile, fileID)
}

// PartsOf implements file.Store.
func (db *DB) PartsOf(ctx context.Context, fileIDs []string) (_ map[string]file.Parts, err error) {
	defer fault(&err, "file")
	parts := make(map[string]file.Parts, len(fileIDs))
	_, err = list(ctx, db, func(s scanner) (struct{}, error) {
		var id string
		var text, vectors, space int
		var p file.Parts
		err := s.Scan(&id, &text, &vectors, &space, &p.Error)
		p.Text, p.Vectors, p.Space = text > 0, vectors > 0, space > 0
		parts[id] = p
		return struct{}{}, err
	}, db.dialect.partsOf(), jsonTexts(fileIDs))
	return parts, err
}

// FilesWithTarget implements file.Store.
func (db *DB) FilesWithTarget(ctx context.Context) (_ []*file.File, err error) {
	defer fault(&err, "file")
	return list(ctx, db, scanFile, filesWithTarget)
}

// DropTarget implements file.Store.
func (db *DB) DropTarget(ctx context.Context, id string) (err error) {
	defer fault(&err, "file")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.File, id)
		return t.must(ctx, dropTarget, id)
	})
}

// FilesWithoutWork implements file.Store.
func (db *DB) FilesWithoutWork(ctx context.Context) (_ []string, err error) {
	defer fault(&err, "file")
	return list(ctx, db, scanText, filesWithoutWork)
}

// Requeue implements file.Store.
func (db *DB) Requeue(ctx context.Context, id string, now int64) (err error) {
	defer fault(&err, "file")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		userID, err := one(ctx, db, scanText, requeueFile, id, now)
		if err != nil {
			return err
		}
		t.emit(event.File, id)
		return t.addJob(ctx, &retrieval.Job{Kind: retrieval.ReadFile, FileID: id, UserID: userID}, now)
	})
}

// BlobUsed implements file.Store.
func (db *DB) BlobUsed(ctx context.Context, hash string) (_ bool, err error) {
	defer fault(&err, "file")
	n, err := one(ctx, db, scanInt, blobUsed, hash)
	return n > 0, err
}

// UsedBlobs implements file.Store.
func (db *DB) UsedBlobs(ctx context.Context, hashes []string) (_ map[string]bool, err error) {
	defer fault(&err, "file")
	found, err := list(ctx, db, scanText, db.dialect.usedBlobs(), jsonTexts(hashes))
	used := make(map[string]bool, len(found))
	for _, h := range found {
		used[h] = true
	}
	return used, err
}

// BlobsInUse implements file.Store.
func (db *DB) BlobsInUse(ctx context.Context, fn func(id, blob, document string) error) (err error) {
	defer fault(&err, "file")
	type row struct{ id, blob, document string }
	for last := ""; ; {
		rows, err := list(ctx, db, func(s scanner) (r row, err error) {
			err = s.Scan(&r.id, &r.blob, &r.document)
			return r, err
		}, blobsInUse, last)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if err := fn(r.id, r.blob, r.document); err != nil {
				return err
			}
		}
		last = rows[len(rows)-1].id
	}
}

// jsonTexts is the JSON array that dialect.texts reads.
func jsonTexts(texts []string) string {
	raw, err := json.Marshal(texts)
	if err != nil || texts == nil {
		return "[]" // texts are always JSON
	}
	return string(raw)
}

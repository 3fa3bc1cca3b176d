package store

import (
	"context"
	"slices"
	"strconv"

	"portico/internal/retrieval"
	"portico/internal/retrieval/index"
)

const (
	chunkColumns = `set_id, n, text, context, first, last, page, last_page`

	insertChunk query = `INSERT INTO chunks (` + chunkColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	chunksFrom  query = `SELECT ` + chunkColumns + ` FROM chunks WHERE set_id = $1 AND n >= $2 ORDER BY n LIMIT $3`

	// unnestChunks is PostgreSQL's way to insert many rows in one round trip.
	unnestChunks = `INSERT INTO chunks (` + chunkColumns + `) SELECT $1::bigint, * FROM
		unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[])`
	rowsAtOnce = 1024
)

// chunksAt gives the chunks named by the JSON array of [set, n] in $1, in its
// order. The cross join keeps SQLite from walking the table instead.
func (d *dialect) chunksAt() query {
	return query(`SELECT c.set_id, c.n, c.text, c.context, c.first, c.last, c.page, c.last_page
		FROM (` + d.pairs + `) h CROSS JOIN chunks c WHERE c.set_id = h.a AND c.n = h.b ORDER BY h.place`)
}

func scanChunk(s scanner) (r retrieval.Row, err error) {
	err = s.Scan(&r.Set, &r.N, &r.Text, &r.Context, &r.First, &r.Last, &r.Page, &r.LastPage)
	return r, err
}

// addChunks inserts the rows of a set, numbered as they come.
func (t *tx) addChunks(ctx context.Context, set int64, rows []retrieval.Row) error {
	if t.db.dialect.insertChunks != "" {
		return t.unnestChunks(ctx, set, rows)
	}
	if len(rows) == 0 {
		return nil
	}
	insert, err := t.conn.PrepareContext(ctx, string(insertChunk))
	if err != nil {
		return err
	}
	defer insert.Close()
	t.db.statements.Add(uint64(len(rows)))
	for n := range rows {
		r := &rows[n]
		if err := checkText([]any{r.Text, r.Context, r.Page, r.LastPage}); err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, set, n, r.Text, r.Context, r.First, r.Last, r.Page, r.LastPage); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) unnestChunks(ctx context.Context, set int64, rows []retrieval.Row) error {
	n := 0
	for batch := range slices.Chunk(rows, rowsAtOnce) {
		var numbers, first, last []int64
		var text, context, page, lastPage []string
		for i := range batch {
			r := &batch[i]
			if err := checkText([]any{r.Text, r.Context, r.Page, r.LastPage}); err != nil {
				return err
			}
			numbers, first, last = append(numbers, int64(n)), append(first, int64(r.First)), append(last, int64(r.Last))
			text, context = append(text, r.Text), append(context, r.Context)
			page, lastPage = append(page, r.Page), append(lastPage, r.LastPage)
			n++
		}
		if _, err := t.exec(ctx, t.db.dialect.insertChunks, set, numbers, text, context, first, last, page, lastPage); err != nil {
			return err
		}
	}
	return nil
}

// Chunks implements retrieval.Store.
func (db *DB) Chunks(ctx context.Context, set int64, n, limit int) (_ []retrieval.Row, err error) {
	defer fault(&err, "set of chunks")
	return list(ctx, db, scanChunk, chunksFrom, set, n, limit)
}

// ChunksAt implements retrieval.Store.
func (db *DB) ChunksAt(ctx context.Context, hits []index.Hit) (_ []retrieval.Row, err error) {
	defer fault(&err, "chunk")
	if len(hits) == 0 {
		return nil, nil
	}
	pairs := []byte{'['}
	for i, h := range hits {
		if i > 0 {
			pairs = append(pairs, ',')
		}
		pairs = append(strconv.AppendInt(append(pairs, '['), h.Set, 10), ',')
		pairs = append(strconv.AppendInt(pairs, int64(h.N), 10), ']')
	}
	return list(ctx, db, scanChunk, db.dialect.chunksAt(), string(append(pairs, ']')))
}

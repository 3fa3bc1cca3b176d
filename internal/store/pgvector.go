package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"portico/internal/errdefs"
	"portico/internal/retrieval"
	"portico/internal/retrieval/index"
)

var _ retrieval.Vectors = (*Neighbours)(nil)

const (
	// scanBelow is how many rows of a scope are compared one by one: up to it,
	// that is faster than a walk over a graph where most are out of scope.
	scanBelow = 20_000
	// breadth is how many rows a walk keeps in mind, at least: more finds more.
	breadth = 200
	// walkMost bounds how many rows a walk looks at before it gives up.
	walkMost = 200_000
	// graphDims is how many dimensions pgvector's HNSW takes in half precision.
	graphDims = 4000
)

// Neighbours is the vector index of PostgreSQL with pgvector: a table of half
// precision vectors for each number of dimensions, with an HNSW graph over
// them. Rows go with their set. There is nothing to close.
type Neighbours struct {
	db    *DB
	space string // the schema that pgvector is in, quoted
	// scanBelow is the constant, but for tests.
	scanBelow int

	mu     sync.Mutex
	tables map[int]bool // that are there, by dimensions
	seq    int64
}

// Neighbours gives the index, or nil where the database has no pgvector that
// this user may use: the index in files is used instead.
func (db *DB) Neighbours(ctx context.Context) (_ *Neighbours, err error) {
	defer fault(&err, "vector index")
	if db.dialect.name != "postgres" {
		return nil, nil
	}
	schema, err := db.pgvector(ctx)
	if err != nil || schema == "" {
		return nil, err
	}
	n := &Neighbours{db: db, space: pgx.Identifier{schema}.Sanitize(), scanBelow: scanBelow, tables: make(map[int]bool)}
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, db.dialect.lockStart); err != nil {
			return err
		}
		_, err := t.exec(ctx, `CREATE TABLE IF NOT EXISTS embedded (
			set_id bigint NOT NULL PRIMARY KEY REFERENCES sets (id) ON DELETE CASCADE,
			space text COLLATE "C" NOT NULL, dims bigint NOT NULL, chunks bigint NOT NULL)`)
		return err
	})
	if err != nil {
		return nil, err
	}
	// Before the first set that is not in it yet, whoever of several servers
	// was to bring it in.
	n.seq, err = one(ctx, db, scanInt64, `SELECT COALESCE(
		(SELECT min(vector_seq) - 1 FROM sets s WHERE vector_seq > 0 AND chunks > 0 AND NOT EXISTS (SELECT 1 FROM embedded e WHERE e.set_id = s.id)),
		(SELECT max(vector_seq) FROM sets), 0)`)
	return n, err
}

// pgvector gives the schema of a pgvector that is new enough, made if that is
// allowed, or "".
func (db *DB) pgvector(ctx context.Context) (string, error) {
	// Who may not create it may still use one that is there.
	if _, err := db.writer.ExecContext(ctx, `CREATE EXTENSION IF NOT EXISTS vector`); err != nil && (classOf(err) == away || ctx.Err() != nil) {
		return "", err
	}
	found, err := one(ctx, db, func(s scanner) (v [2]string, err error) { err = s.Scan(&v[0], &v[1]); return v, err },
		`SELECT n.nspname, e.extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'`)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil || !newEnough(found[1]) {
		return "", err
	}
	return found[0], nil
}

// newEnough is 0.8 and later: a walk goes on until enough is in scope.
func newEnough(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	return errA == nil && errB == nil && (a > 0 || b >= 8)
}

func tableOf(dims int) string { return "embeddings_" + strconv.Itoa(dims) }

// table makes the table for a number of dimensions.
func (n *Neighbours) table(ctx context.Context, dims int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.tables[dims] {
		return nil
	}
	name := tableOf(dims)
	statements := []query{
		n.db.dialect.lockStart,
		query(fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (set_id bigint NOT NULL REFERENCES sets (id) ON DELETE CASCADE,
			n bigint NOT NULL, v %s.halfvec(%d) NOT NULL, PRIMARY KEY (set_id, n))`, name, n.space, dims)),
	}
	if dims <= graphDims {
		statements = append(statements, query(fmt.Sprintf(`CREATE INDEX IF NOT EXISTS %s_near ON %s USING hnsw (v %s.halfvec_ip_ops)`, name, name, n.space)))
	}
	err := n.db.write(ctx, func(ctx context.Context, t *tx) error {
		for _, q := range statements {
			if _, err := t.exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	n.tables[dims] = err == nil
	return err
}

// Seq implements retrieval.Vectors.
func (n *Neighbours) Seq() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seq
}

// Add implements retrieval.Vectors. A set that is gone meanwhile, or that
// another server has added, is fine.
func (n *Neighbours) Add(ctx context.Context, set, seq int64, space string, dims int, vectors []float32) (err error) {
	defer fault(&err, "vector index")
	if dims <= 0 || len(vectors)%dims != 0 {
		return errdefs.Newf(errdefs.Internal, "%d values are no vectors of %d dimensions.", len(vectors), dims)
	}
	if err := n.table(ctx, dims); err != nil {
		return err
	}
	err = n.db.write(ctx, func(ctx context.Context, t *tx) error {
		added, err := t.exec(ctx, `INSERT INTO embedded (set_id, space, dims, chunks) SELECT id, $2, $3, $4 FROM sets WHERE id = $1
			ON CONFLICT (set_id) DO NOTHING`, set, space, dims, len(vectors)/dims)
		if err != nil || added == 0 {
			return err
		}
		return n.insert(ctx, t, set, dims, vectors)
	})
	if err != nil && classOf(err) != missing {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seq = max(n.seq, seq)
	return nil
}

func (n *Neighbours) insert(ctx context.Context, t *tx, set int64, dims int, vectors []float32) error {
	insert := query(fmt.Sprintf(`INSERT INTO %s (set_id, n, v)
		SELECT $1::bigint, $2::bigint + i, ($3::real[])[i * %d + 1 : (i + 1) * %d]::%s.halfvec(%d) FROM generate_series(0, $4::bigint - 1) AS i`,
		tableOf(dims), dims, dims, n.space, dims))
	first := 0
	for batch := range slices.Chunk(vectors, rowsAtOnce*dims) {
		if _, err := t.exec(ctx, insert, set, first, batch, len(batch)/dims); err != nil {
			return err
		}
		first += len(batch) / dims
	}
	return nil
}

// Search implements retrieval.Vectors. The scope is part of every statement:
// small ones are compared row by row, large ones by a walk over the graph that
// goes on until enough rows are in scope.
func (n *Neighbours) Search(ctx context.Context, space string, question []float32, scope index.Scope, k int) (hits []index.Hit, err error) {
	defer fault(&err, "vector index")
	dims := len(question)
	if k <= 0 || len(scope) == 0 || dims == 0 {
		return nil, nil
	}
	ids := []int64(scope)
	rows, err := one(ctx, n.db, scanInt, `SELECT COALESCE(sum(chunks), 0)::bigint FROM embedded
		WHERE set_id = ANY($1::bigint[]) AND space = $2 AND dims = $3`, ids, space, dims)
	if err != nil || rows == 0 {
		return nil, err
	}
	if rows > n.scanBelow && dims <= graphDims {
		if hits, err = n.walk(ctx, space, question, ids, k); err != nil {
			return nil, err
		}
	}
	if len(hits) < min(k, rows) { // a small scope, or one that the walk hardly met
		hits, err = list(ctx, n.db, scanHit, n.compareAll(dims), ids, space, question, k)
	}
	slices.SortFunc(hits, index.Compare)
	return hits, err
}

func scanHit(s scanner) (h index.Hit, err error) {
	var score float64
	err = s.Scan(&h.Set, &h.N, &score)
	h.Score = float32(score)
	return h, err
}

// product is the scalar product of a row and the question in $3, in full
// precision; that it is no bare operator keeps the graph out of it.
func (n *Neighbours) product(dims int) string {
	return fmt.Sprintf(`-(e.v::%s.vector OPERATOR(%s.<#>) ($3::real[])::%s.vector(%d))`, n.space, n.space, n.space, dims)
}

func (n *Neighbours) compareAll(dims int) query {
	return query(fmt.Sprintf(`SELECT e.set_id, e.n, %s AS score FROM embedded m JOIN %s e ON e.set_id = m.set_id
		WHERE m.set_id = ANY($1::bigint[]) AND m.space = $2 ORDER BY score DESC, e.set_id, e.n LIMIT $4`, n.product(dims), tableOf(dims)))
}

// walk looks for more than k by the graph, and orders those in full precision.
func (n *Neighbours) walk(ctx context.Context, space string, question []float32, ids []int64, k int) (hits []index.Hit, err error) {
	dims := len(question)
	// "IS TRUE" keeps the planner from joining, which would lose the order of
	// the graph: the scope is a hash table that each row is looked up in.
	near := query(fmt.Sprintf(`SELECT e.set_id, e.n, %s AS score FROM (
			SELECT set_id, n, v FROM %s
			WHERE (set_id IN (SELECT m.set_id FROM embedded m WHERE m.set_id = ANY($1::bigint[]) AND m.space = $2)) IS TRUE
			ORDER BY v OPERATOR(%s.<#>) ($3::real[])::%s.halfvec(%d) LIMIT $4) e
		ORDER BY score DESC, e.set_id, e.n LIMIT $5`, n.product(dims), tableOf(dims), n.space, n.space, dims))
	err = n.db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, `SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', $1, true),
			set_config('hnsw.max_scan_tuples', $2, true), set_config('enable_seqscan', 'off', true)`,
			strconv.Itoa(min(1000, max(breadth, 4*k))), strconv.Itoa(walkMost)); err != nil {
			return err
		}
		hits, err = list(ctx, n.db, scanHit, near, ids, space, question, 2*k+32, k)
		return err
	})
	return hits, err
}

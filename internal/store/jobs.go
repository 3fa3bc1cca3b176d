package store

import (
	"context"
	"database/sql"
	"errors"

	"portico/internal/errdefs"
	"portico/internal/retrieval"
)

const (
	jobColumns = `id, kind, file_id, profile, user_id, attempts`

	// Work that is asked for again while it waits is tried at once.
	insertJob query = `INSERT INTO jobs (` + jobColumns + `, owner, lease_until, not_before, created_at)
		VALUES ($1, $2, $3, $4, $5, 0, '', 0, 0, $6)
		ON CONFLICT (file_id, profile) DO UPDATE SET attempts = 0, not_before = 0 WHERE jobs.owner = ''`

	anyJob query = `SELECT CASE WHEN EXISTS (SELECT 1 FROM jobs WHERE kind = $1 AND lease_until <= $2 AND not_before <= $2) THEN 1 ELSE 0 END`
	// lockTurn gives who had the last turn, and lets one at a time claim.
	lockTurn query = `UPDATE instance SET n = n + 1 WHERE name = 'turn' RETURNING value`
	setTurn  query = `UPDATE instance SET value = $1 WHERE name = 'turn'`
	// nextJob walks over the users who have work, by the index, not over the
	// work: ten thousand files of one are one step.
	nextJob query = `WITH RECURSIVE
		users_of (user_id) AS (
			SELECT min(user_id) FROM jobs WHERE kind = $1
			UNION ALL
			SELECT (SELECT min(j.user_id) FROM jobs j WHERE j.kind = $1 AND j.user_id > u.user_id)
			FROM users_of u WHERE u.user_id IS NOT NULL),
		running (user_id, n) AS (SELECT user_id, count(*) FROM jobs WHERE lease_until > $2 GROUP BY user_id),
		oldest (user_id, id) AS (
			SELECT u.user_id, (SELECT j.id FROM jobs j
				WHERE j.kind = $1 AND j.user_id = u.user_id AND j.lease_until <= $2 AND j.not_before <= $2 ORDER BY j.id LIMIT 1)
			FROM users_of u WHERE u.user_id IS NOT NULL)
		SELECT o.id FROM oldest o LEFT JOIN running r ON r.user_id = o.user_id WHERE o.id IS NOT NULL
		ORDER BY COALESCE(r.n, 0), CASE WHEN o.user_id > $3 THEN 0 ELSE 1 END, o.user_id LIMIT 1`
	takeJob query = `UPDATE jobs SET owner = $2, lease_until = $3, attempts = attempts + 1 WHERE id = $1 RETURNING ` + jobColumns

	renewJobs query = `UPDATE jobs SET lease_until = $2 WHERE owner = $1 AND lease_until > 0`
	endJob    query = `DELETE FROM jobs WHERE id = $1 AND owner = $2`
	retryJob  query = `UPDATE jobs SET owner = '', lease_until = 0, not_before = $3 WHERE id = $1 AND owner = $2`
	countJobs query = `SELECT count(*) FROM jobs`
)

func scanJob(s scanner) (*retrieval.Job, error) {
	j := new(retrieval.Job)
	err := s.Scan(&j.ID, &j.Kind, &j.FileID, &j.Profile, &j.UserID, &j.Attempts)
	return j, err
}

// AddJob implements retrieval.Store.
func (db *DB) AddJob(ctx context.Context, j *retrieval.Job, now int64) (err error) {
	defer fault(&err, "file")
	return db.write(ctx, func(ctx context.Context, t *tx) error { return t.addJob(ctx, j, now) })
}

func (t *tx) addJob(ctx context.Context, j *retrieval.Job, now int64) error {
	id, err := t.next(ctx, countJob)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, insertJob, id, j.Kind, j.FileID, j.Profile, j.UserID, now)
	return err
}

// ClaimJob implements retrieval.Store. The user with the fewest jobs at work
// is next; among equals they take turns, each with their oldest work.
func (db *DB) ClaimJob(ctx context.Context, kind, owner string, now, lease int64) (job *retrieval.Job, err error) {
	defer fault(&err, "job")
	// Asking costs no write while there is nothing to do.
	if n, err := one(ctx, db, scanInt, anyJob, kind, now); err != nil || n == 0 {
		return nil, err
	}
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		job = nil
		last, err := one(ctx, db, scanText, lockTurn)
		if err != nil {
			return err
		}
		id, err := one(ctx, db, scanInt64, nextJob, kind, now, last)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // somebody else was faster
		}
		if err != nil {
			return err
		}
		if job, err = one(ctx, db, scanJob, takeJob, id, owner, lease); err != nil {
			return err
		}
		return t.must(ctx, setTurn, job.UserID)
	})
	if err != nil {
		return nil, err
	}
	return job, nil
}

// RenewJobs implements retrieval.Store.
func (db *DB) RenewJobs(ctx context.Context, owner string, lease int64) (err error) {
	defer fault(&err, "job")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, renewJobs, owner, lease)
		return err
	})
}

// EndJob implements retrieval.Store.
func (db *DB) EndJob(ctx context.Context, id int64, owner string) (err error) {
	defer fault(&err, "job")
	return db.ofOwner(ctx, endJob, id, owner)
}

// RetryJob implements retrieval.Store.
func (db *DB) RetryJob(ctx context.Context, id int64, owner string, notBefore int64) (err error) {
	defer fault(&err, "job")
	return db.ofOwner(ctx, retryJob, id, owner, notBefore)
}

// ofOwner runs a statement that touches a job only if its owner still has it.
func (db *DB) ofOwner(ctx context.Context, q query, args ...any) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, q, args...)
		if err == nil && n == 0 {
			return errdefs.New(errdefs.Conflict, "The job is no longer this worker's: its lease ended, or its file was deleted.")
		}
		return err
	})
}

// CountJobs implements retrieval.Store.
func (db *DB) CountJobs(ctx context.Context) (_ int, err error) {
	defer fault(&err, "job")
	return one(ctx, db, scanInt, countJobs)
}

package store

import (
	"context"

	"portico/internal/event"
	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval"
)

// What the workers of retrieval ask beyond single sets and jobs.
const (
	releaseJobs query = `UPDATE jobs SET owner = '', lease_until = 0 WHERE owner <> ''`
	dropSameJob query = `DELETE FROM jobs WHERE file_id = $1 AND profile = $2`

	readBefore query = `SELECT ` + fileColumns + ` FROM files f WHERE f.blob = $1 AND f.id <> $2 AND f.document <> '' ORDER BY f.id LIMIT 8`
	stuckFiles query = `SELECT ` + fileColumns + ` FROM files f WHERE f.status IN ('pending', 'processing')
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.file_id = f.id) ORDER BY f.id LIMIT $1`

	// $2 is the collection, or '' for all files; $3 is 1 where vectors count. A
	// file that has too many pieces would only be cut again in vain.
	notWhole = ` FROM files f WHERE f.document <> '' AND NOT (f.status = 'failed' AND f.error LIKE '%:too_many_chunks]%')
		AND ($2 = '' OR EXISTS (SELECT 1 FROM knowledge_files k WHERE k.knowledge_id = $2 AND k.file_id = f.id))
		AND NOT EXISTS (SELECT 1 FROM sets s WHERE s.file_id = f.id AND s.profile = $1
			AND s.text_seq > 0 AND ($3 = 0 OR s.vector_seq > 0 OR s.error <> ''))`
	lackingFiles query = `SELECT ` + fileColumns + notWhole + `
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.file_id = f.id AND j.profile IN ($1, '')) ORDER BY f.id LIMIT $4`
	countLacking query = `SELECT COUNT(*)` + notWhole

	// Files that have vectors under $2 and, for a fault, none under $1.
	countWorse query = `SELECT COUNT(*) FROM sets s JOIN sets o ON o.file_id = s.file_id
		WHERE s.profile = $1 AND s.error <> '' AND s.vector_seq = 0 AND o.profile = $2 AND o.vector_seq > 0`
	forgetFaults query = `UPDATE sets SET error = '' WHERE profile = $1 AND error <> ''`

	setLike query = `SELECT s.id, s.file_id, s.profile, s.space, s.chunks, s.text_seq, s.vector_seq, s.error
		FROM sets s JOIN files f ON f.id = s.file_id
		WHERE f.text_hash = $1 AND s.profile = $2 AND s.id <> $3 AND s.vector_seq > 0 ORDER BY s.id LIMIT 1`

	readAgain query = `UPDATE files SET status = 'pending', error = '', document = $2, text_hash = $3, warnings = $4, updated_at = $5 WHERE id = $1`

	profilesOfFile query = `SELECT k.profile, k.next_profile FROM knowledge k JOIN knowledge_files l ON l.knowledge_id = k.id
		WHERE l.file_id = $1 AND (k.profile <> '' OR k.next_profile <> '')`
	profilesInUse     query = `SELECT DISTINCT profile, next_profile FROM knowledge WHERE profile <> '' OR next_profile <> ''`
	buildingKnowledge query = `SELECT id, profile, next_profile FROM knowledge WHERE next_profile <> '' ORDER BY id`

	instanceProfile    query = `SELECT value FROM instance WHERE name = $1`
	setInstanceProfile query = `INSERT INTO instance (name, value, n) VALUES ($1, $2, 0) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
)

// The names of the instance's profiles in its table.
const (
	profileNow  = "profile"
	profileNext = "next_profile"
)

// ReleaseJobs implements retrieval.Store.
func (db *DB) ReleaseJobs(ctx context.Context) (err error) {
	defer fault(&err, "job")
	if db.dialect.name == "postgres" {
		return nil // others may be at it; their leases end by themselves
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, releaseJobs)
		return err
	})
}

// restartJob puts a job in place of the same one, under a new id.
func (t *tx) restartJob(ctx context.Context, j *retrieval.Job, now int64) error {
	if _, err := t.exec(ctx, dropSameJob, j.FileID, j.Profile); err != nil {
		return err
	}
	return t.addJob(ctx, j, now)
}

// RestartJob implements retrieval.Store.
func (db *DB) RestartJob(ctx context.Context, j *retrieval.Job, now int64) (err error) {
	defer fault(&err, "file")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if err := t.restartJob(ctx, j, now); err != nil {
			return err
		}
		t.emit(event.File, j.FileID)
		return nil
	})
}

// ReadBefore implements retrieval.Store.
func (db *DB) ReadBefore(ctx context.Context, blob, except string) (_ []*file.File, err error) {
	defer fault(&err, "file")
	return list(ctx, db, scanFile, readBefore, blob, except)
}

// ReadAgain implements retrieval.Store.
func (db *DB) ReadAgain(ctx context.Context, f *file.File, o file.Outcome, now int64) (err error) {
	defer fault(&err, "file")
	warnings, err := warningsText(o.Warnings)
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if err := t.must(ctx, readAgain, f.ID, o.Document, o.TextHash, warnings, now); err != nil {
			return err
		}
		t.emit(event.File, f.ID)
		return t.restartJob(ctx, &retrieval.Job{Kind: retrieval.ReadFile, FileID: f.ID, UserID: f.UserID}, now)
	})
}

// Stuck implements retrieval.Store.
func (db *DB) Stuck(ctx context.Context, limit int) (_ []*file.File, err error) {
	defer fault(&err, "file")
	return list(ctx, db, scanFile, stuckFiles, limit)
}

// Lacking implements retrieval.Store.
func (db *DB) Lacking(ctx context.Context, profile, knowledgeID string, vectors bool, limit int) (_ []*file.File, err error) {
	defer fault(&err, "file")
	return list(ctx, db, scanFile, lackingFiles, profile, knowledgeID, number(vectors), limit)
}

// CountLacking implements retrieval.Store.
func (db *DB) CountLacking(ctx context.Context, profile, knowledgeID string, vectors bool) (_ int, err error) {
	defer fault(&err, "file")
	return one(ctx, db, scanInt, countLacking, profile, knowledgeID, number(vectors))
}

func number(v bool) int {
	if v {
		return 1
	}
	return 0
}

// CountWorse implements retrieval.Store.
func (db *DB) CountWorse(ctx context.Context, next, current string) (_ int, err error) {
	defer fault(&err, "set")
	return one(ctx, db, scanInt, countWorse, next, current)
}

// ForgetFaults implements retrieval.Store.
func (db *DB) ForgetFaults(ctx context.Context, profile string) (err error) {
	defer fault(&err, "set")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, forgetFaults, profile)
		return err
	})
}

// SetLike implements retrieval.Store.
func (db *DB) SetLike(ctx context.Context, textHash, profile string, except int64) (_ *retrieval.Set, err error) {
	defer fault(&err, "set")
	found, err := list(ctx, db, scanSet, setLike, textHash, profile, except)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (db *DB) profilesBy(ctx context.Context, q query, args ...any) ([]string, error) {
	pairs, err := list(ctx, db, func(s scanner) (p [2]string, err error) { return p, s.Scan(&p[0], &p[1]) }, q, args...)
	var all []string
	for _, p := range pairs {
		for _, id := range p {
			if id != "" {
				all = append(all, id)
			}
		}
	}
	return all, err
}

// ProfilesOfFile implements retrieval.Store.
func (db *DB) ProfilesOfFile(ctx context.Context, fileID string) (_ []string, err error) {
	defer fault(&err, "profile")
	return db.profilesBy(ctx, profilesOfFile, fileID)
}

// ProfilesInUse implements retrieval.Store.
func (db *DB) ProfilesInUse(ctx context.Context) (_ []string, err error) {
	defer fault(&err, "profile")
	return db.profilesBy(ctx, profilesInUse)
}

// Building implements retrieval.Store: ids and profiles only.
func (db *DB) Building(ctx context.Context) (_ []*knowledge.Knowledge, err error) {
	defer fault(&err, "knowledge")
	return list(ctx, db, func(s scanner) (*knowledge.Knowledge, error) {
		k := new(knowledge.Knowledge)
		return k, s.Scan(&k.ID, &k.Profile, &k.Next)
	}, buildingKnowledge)
}

// InstanceProfiles implements retrieval.Store.
func (db *DB) InstanceProfiles(ctx context.Context) (current, next string, err error) {
	defer fault(&err, "profile")
	for name, to := range map[string]*string{profileNow: &current, profileNext: &next} {
		found, err := list(ctx, db, scanText, instanceProfile, name)
		if err != nil {
			return "", "", err
		}
		if len(found) > 0 {
			*to = found[0]
		}
	}
	return current, next, nil
}

// SetInstanceProfiles implements retrieval.Store.
func (db *DB) SetInstanceProfiles(ctx context.Context, current, next string) (err error) {
	defer fault(&err, "profile")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		t.emit(event.Knowledge, "")
		if _, err := t.exec(ctx, setInstanceProfile, profileNow, current); err != nil {
			return err
		}
		_, err := t.exec(ctx, setInstanceProfile, profileNext, next)
		return err
	})
}

package store

import (
	"context"
	"maps"
	"slices"

	"portico/internal/event"
)

const (
	allSettings query = `SELECT name, value FROM settings`
	putSetting  query = `INSERT INTO settings (name, value, updated_at) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`
	deleteSetting query = `DELETE FROM settings WHERE name = $1`
)

type settingRow struct{ name, value string }

func scanSetting(s scanner) (r settingRow, err error) {
	err = s.Scan(&r.name, &r.value)
	return r, err
}

// Settings implements setting.Store.
func (db *DB) Settings(ctx context.Context) (_ map[string][]byte, err error) {
	defer fault(&err, "setting")
	rows, err := list(ctx, db, scanSetting, allSettings)
	if err != nil {
		return nil, err
	}
	values := make(map[string][]byte, len(rows))
	for _, r := range rows {
		values[r.name] = []byte(r.value)
	}
	return values, nil
}

// SetSettings implements setting.Store.
func (db *DB) SetSettings(ctx context.Context, values map[string][]byte) (err error) {
	defer fault(&err, "setting")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if _, err := t.exec(ctx, putSetting, name, string(values[name]), db.seconds()); err != nil {
				return err
			}
			t.emit(event.Setting, name)
		}
		return nil
	})
}

// DeleteSettings implements setting.Store; an absent key is no error.
func (db *DB) DeleteSettings(ctx context.Context, keys ...string) (err error) {
	defer fault(&err, "setting")
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		slices.Sort(keys)
		for _, name := range keys {
			if _, err := t.exec(ctx, deleteSetting, name); err != nil {
				return err
			}
			t.emit(event.Setting, name)
		}
		return nil
	})
}

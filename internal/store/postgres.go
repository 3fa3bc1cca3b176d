package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// schema is ours alone in the database: nothing outside of it is touched.
const schema = "portico"

func (db *DB) openPostgres(ctx context.Context, cfg *pgx.ConnConfig) error {
	origin := make([]byte, 8)
	rand.Read(origin)
	db.dialect = postgresDialect(hex.EncodeToString(origin))
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	// Start-up parameters, so that every connection has them.
	cfg.RuntimeParams["search_path"] = schema
	cfg.RuntimeParams["application_name"] = "portico"
	cfg.RuntimeParams["lock_timeout"] = strconv.FormatInt(db.opt.LockWait.Milliseconds(), 10)
	db.writer = stdlib.OpenDB(*cfg)
	db.writer.SetMaxOpenConns(db.opt.MaxConns)
	db.writer.SetMaxIdleConns(db.opt.MaxConns)
	db.writer.SetConnMaxIdleTime(5 * time.Minute)
	db.reader = db.writer
	if err := db.writer.PingContext(ctx); err != nil {
		return fmt.Errorf("PostgreSQL at %s:%d does not let us in: %s", cfg.Host, cfg.Port, reason(err))
	}
	return nil
}

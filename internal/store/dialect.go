package store

// dialect is what the engines do not share.
type dialect struct {
	name       string // also the folder of its migrations
	hasSchema  query  // 1 when there is a table schema_migrations, else 0
	makeSchema query  // before the first migration
	// position is the function that finds a text in another, byte for byte;
	// twice as fast as LIKE, and nothing in it needs to be escaped.
	position string
	// texts is the list of the texts in the JSON array $1.
	texts string
	// numbers is the list of the numbers in the JSON array $1; pairs is the
	// [a, b] in it, with their place.
	numbers string
	pairs   string
	// insertChunks inserts many chunks at once; empty where one by one is as fast.
	insertChunks query
	// lockStart lets one server at a time migrate.
	lockStart query
	// lockUsers makes the check "is there nobody yet", or "is another
	// administrator left", hold until the commit. Empty where a write
	// transaction is alone anyway.
	lockUsers query
	// notify tells other servers, in the transaction; empty where there are none.
	notify query
	origin string // who we are in our own notifications
}

func sqliteDialect() *dialect {
	return &dialect{
		name:      "sqlite",
		position:  "instr",
		texts:     "SELECT value FROM json_each($1)",
		numbers:   "SELECT value FROM json_each($1)",
		pairs:     "SELECT key AS place, json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b FROM json_each($1)",
		hasSchema: `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'`,
	}
}

func postgresDialect(origin string) *dialect {
	return &dialect{
		name:     "postgres",
		position: "strpos",
		texts:    "SELECT json_array_elements_text($1::json)",
		numbers:  "SELECT json_array_elements_text($1::json)::bigint",
		pairs: `SELECT place, (pair->>0)::bigint AS a, (pair->>1)::bigint AS b
			FROM json_array_elements($1::json) WITH ORDINALITY AS p (pair, place)`,
		insertChunks: unnestChunks,
		// Not to_regclass: its cache does not see what was committed while this
		// transaction waited for its lock.
		hasSchema: `SELECT count(*) FROM pg_tables WHERE schemaname = 'portico' AND tablename = 'schema_migrations'`,
		// Without the check, an existing schema would still ask for the right to create one.
		makeSchema: `DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'portico') THEN CREATE SCHEMA portico; END IF; END $$`,
		// The migration of another server may take longer than a lock else may.
		lockStart: `SELECT pg_advisory_xact_lock(7308325525861295983) FROM set_config('lock_timeout', '0', true)`,
		lockUsers: `LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE`,
		notify:    `SELECT pg_notify('portico', $1)`,
		origin:    origin,
	}
}

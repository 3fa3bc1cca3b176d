package store_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"portico/internal/store"
)

// logical describes a schema in words that both engines share.
func logical(t *testing.T, db *store.DB) []string {
	t.Helper()
	columns := `SELECT t.name || '.' || c.name || ' ' || c.type || CASE WHEN c."notnull" = 1 THEN ' not null' ELSE '' END
		FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'`
	indexes := `SELECT t.name || CASE WHEN i."unique" = 1 THEN ' unique ' ELSE ' index ' END ||
		(SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
		FROM sqlite_master t, pragma_index_list(t.name) i WHERE t.type = 'table'`
	if db.Engine() == "postgres" {
		columns = `SELECT table_name || '.' || column_name || ' ' || data_type || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
			FROM information_schema.columns WHERE table_schema = 'portico'`
		indexes = `SELECT t.relname || CASE WHEN i.indisunique THEN ' unique ' ELSE ' index ' END ||
			(SELECT string_agg(a.attname, ',' ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY AS k(num, n)
			 JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.num)
			FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid WHERE t.relnamespace = 'portico'::regnamespace`
	}
	names := strings.NewReplacer(" BIGINT", " bigint", " INTEGER", " bigint", " integer", " bigint", " TEXT", " text", " BLOB", " bytea", " BOOLEAN", " boolean")
	var all []string
	for _, q := range []string{columns, indexes} {
		rows, err := db.Writer().QueryContext(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			all = append(all, names.Replace(line))
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	// An integer primary key of SQLite is its row id and has no index.
	return slices.DeleteFunc(all, func(s string) bool {
		return s == "schema_migrations unique version" || s == "sets unique id" || s == "jobs unique id"
	})
}

func TestSchemasAreEqual(t *testing.T) {
	t.Parallel()
	lite := logical(t, open(t, engines[0].url(t), store.Options{}))
	pg := logical(t, open(t, engines[2].url(t), store.Options{}))
	if len(lite) < 80 {
		t.Errorf("only %d lines", len(lite))
	}
	for _, line := range lite {
		if !slices.Contains(pg, line) {
			t.Errorf("only on SQLite: %s", line)
		}
	}
	for _, line := range pg {
		if !slices.Contains(lite, line) {
			t.Errorf("only on PostgreSQL: %s", line)
		}
	}
}

// steps are the embedded migrations of both engines, with more appended.
func steps(t *testing.T, more ...string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, engine := range []string{"sqlite", "postgres"} {
		dir := "migrations/" + engine
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files[dir+"/"+e.Name()] = &fstest.MapFile{Data: text}
		}
		for i, text := range more {
			files[fmt.Sprintf("%s/%04d_more.sql", dir, len(entries)+1+i)] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return files
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	for _, i := range []int{0, 2} {
		engine := engines[i]
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			url := engine.url(t)
			db := open(t, url, store.Options{})
			before := logical(t, db)

			// A step that fails is undone whole, with those before it.
			err := store.Migrate(t.Context(), db, steps(t, "CREATE TABLE more (id TEXT)", "CREATE TABLE most (id TEXT); CREATE TABLE most (id TEXT)"))
			if err == nil || !strings.Contains(err.Error(), "_more failed and was undone") {
				t.Errorf("got %v", err)
			}
			if after := logical(t, db); !slices.Equal(before, after) {
				t.Errorf("half a schema is left: %v", after)
			}

			if err := store.Migrate(t.Context(), db, steps(t, "CREATE TABLE more (id TEXT)")); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Open(t.Context(), url, store.Options{}); err == nil || !strings.Contains(err.Error(), "use the newer program") {
				t.Errorf("a newer schema: %v", err)
			}
		})
	}
}

func TestMigrationChanged(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite://:memory:", store.Options{})
	files := steps(t)
	for _, f := range files {
		f.Data = append(f.Data, "-- changed\n"...)
	}
	if err := store.Migrate(t.Context(), db, files); err == nil || !strings.Contains(err.Error(), "another build") {
		t.Errorf("got %v", err)
	}
	if err := store.Migrate(t.Context(), db, fstest.MapFS{"migrations/sqlite/0002_x.sql": {}}); err == nil || !strings.Contains(err.Error(), "0001 is missing") {
		t.Errorf("got %v", err)
	}
}

// TestMigrateStopped stops a step after each of its statements: nothing of it
// is left, and the next start can run it.
func TestMigrateStopped(t *testing.T) {
	t.Parallel()
	rename := strings.NewReplacer("CREATE TABLE ", "CREATE TABLE new_", "CREATE INDEX ", "CREATE INDEX new_", "ALTER TABLE ", "ALTER TABLE new_", " ON DELETE", " ON DELETE",
		" ON ", " ON new_", "REFERENCES ", "REFERENCES new_", "INSERT INTO ", "INSERT INTO new_", " FROM ", " FROM new_")
	for _, i := range []int{0, 2} {
		engine := engines[i]
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			db := open(t, engine.url(t), store.Options{})
			before := logical(t, db)
			files := steps(t)
			dir := "migrations/" + db.Engine()
			var all strings.Builder
			names := slices.Sorted(maps.Keys(files))
			names = slices.DeleteFunc(names, func(name string) bool { return path.Dir(name) != dir })
			for _, name := range names {
				all.Write(files[name].Data)
			}
			next := fmt.Sprintf("%s/%04d_more.sql", dir, len(names)+1)
			statements := strings.SplitAfter(rename.Replace(all.String()), ";\n")
			for n := range len(statements) {
				files[next] = &fstest.MapFile{Data: []byte(strings.Join(statements[:n], "") + "STOP HERE;")}
				if err := store.Migrate(t.Context(), db, files); err == nil {
					t.Fatalf("%d: it did not stop", n)
				}
				if after := logical(t, db); !slices.Equal(before, after) {
					t.Fatalf("%d: half a schema is left: %v", n, after)
				}
			}
			files[next] = &fstest.MapFile{Data: []byte(strings.Join(statements, ""))}
			if err := store.Migrate(t.Context(), db, files); err != nil {
				t.Error(err)
			}
			if after := logical(t, db); len(after) < 2*len(before)-10 {
				t.Errorf("it made %d of %d", len(after), len(before))
			}
		})
	}
}

// TestStartTogether lets several servers make the schema of one database.
func TestStartTogether(t *testing.T) {
	t.Parallel()
	url := engines[2].url(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			db, err := store.Open(context.Background(), url, store.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			db.Close()
		})
	}
	wg.Wait()
}

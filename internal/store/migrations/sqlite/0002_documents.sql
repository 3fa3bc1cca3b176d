-- Files, what was read in them, and the collections they are in. Bytes and
-- extracted documents are blobs, named by their SHA-256, outside the database.
-- kind is 'upload' for what is listed, else 'text' or 'web'. status is '' for
-- what nobody asked to be read, else pending, processing, completed or failed.
-- search is the name in lower case; target_… is the collection that a file goes
-- to once it is read, '' when it is there.
CREATE TABLE files (
  id           TEXT    NOT NULL PRIMARY KEY,
  user_id      TEXT    NOT NULL,
  kind         TEXT    NOT NULL,
  filename     TEXT    NOT NULL,
  search       TEXT    NOT NULL,
  content_type TEXT    NOT NULL,
  size         INTEGER NOT NULL,
  blob         TEXT    NOT NULL,
  metadata     TEXT    NOT NULL,
  status       TEXT    NOT NULL,
  error        TEXT    NOT NULL,
  document     TEXT    NOT NULL,
  text_hash    TEXT    NOT NULL,
  warnings     TEXT    NOT NULL,
  target_knowledge TEXT    NOT NULL,
  target_directory TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL
);
CREATE INDEX files_user ON files (user_id, kind, created_at, id);
CREATE INDEX files_created ON files (kind, created_at, id);
CREATE INDEX files_quota ON files (user_id, size);
CREATE INDEX files_target ON files (target_knowledge) WHERE target_knowledge <> '';
CREATE INDEX files_blob ON files (blob);
CREATE INDEX files_document ON files (document);
CREATE INDEX files_text ON files (text_hash);

-- kind is 'collection' for what is listed; 'text' is what the retrieval routes
-- make, found by its owner and name. settings is a JSON object that overrides
-- the instance's; profile is the one that searches use, '' while it is the
-- instance's; next_profile is being built, or ''; search is name and
-- description in lower case, cut short.
CREATE TABLE knowledge (
  id           TEXT    NOT NULL PRIMARY KEY,
  user_id      TEXT    NOT NULL,
  kind         TEXT    NOT NULL,
  name         TEXT    NOT NULL,
  description  TEXT    NOT NULL,
  search       TEXT    NOT NULL,
  meta         TEXT    NOT NULL,
  settings     TEXT    NOT NULL,
  profile      TEXT    NOT NULL,
  next_profile TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL
);
CREATE INDEX knowledge_user ON knowledge (user_id, kind, name);
CREATE INDEX knowledge_updated ON knowledge (kind, updated_at, id);
CREATE INDEX knowledge_created ON knowledge (kind, created_at, id);
CREATE INDEX knowledge_search ON knowledge (kind, search, id);

CREATE TABLE directories (
  id           TEXT    NOT NULL PRIMARY KEY,
  knowledge_id TEXT    NOT NULL REFERENCES knowledge (id) ON DELETE CASCADE,
  parent_id    TEXT    REFERENCES directories (id) ON DELETE CASCADE,
  user_id      TEXT    NOT NULL,
  name         TEXT    NOT NULL,
  meta         TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL
);
CREATE INDEX directories_parent ON directories (knowledge_id, parent_id, name);
CREATE INDEX directories_above ON directories (parent_id);

-- path is the file's name in a folder that is kept in sync, '' else.
CREATE TABLE knowledge_files (
  knowledge_id TEXT    NOT NULL REFERENCES knowledge (id) ON DELETE CASCADE,
  file_id      TEXT    NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  directory_id TEXT    REFERENCES directories (id) ON DELETE SET NULL,
  user_id      TEXT    NOT NULL,
  path         TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  PRIMARY KEY (knowledge_id, file_id)
);
CREATE INDEX knowledge_files_file ON knowledge_files (file_id);
CREATE INDEX knowledge_files_path ON knowledge_files (knowledge_id, path);
CREATE INDEX knowledge_files_directory ON knowledge_files (directory_id);

-- A profile is how a file is cut and embedded: its id is the hash of its
-- settings, a JSON object.
CREATE TABLE profiles (
  id         TEXT    NOT NULL PRIMARY KEY,
  settings   TEXT    NOT NULL,
  created_at INTEGER NOT NULL
);

-- A set is the chunks of one file under one profile. text_seq and vector_seq
-- are the positions at which its text and its vectors became visible, 0 while
-- they are not.
CREATE TABLE sets (
  id         INTEGER NOT NULL PRIMARY KEY,
  file_id    TEXT    NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  profile    TEXT    NOT NULL,
  space      TEXT    NOT NULL,
  chunks     INTEGER NOT NULL,
  text_seq   INTEGER NOT NULL,
  vector_seq INTEGER NOT NULL,
  error      TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (file_id, profile)
);
CREATE INDEX sets_text ON sets (text_seq);
CREATE INDEX sets_vector ON sets (vector_seq);
CREATE INDEX sets_profile ON sets (profile);

-- first and last are positions in the file's text, in characters; context is
-- what the chunk is read with: title, headings, the header of its table.
CREATE TABLE chunks (
  set_id    INTEGER NOT NULL REFERENCES sets (id) ON DELETE CASCADE,
  n         INTEGER NOT NULL,
  text      TEXT    NOT NULL,
  context   TEXT    NOT NULL,
  first     INTEGER NOT NULL,
  last      INTEGER NOT NULL,
  page      TEXT    NOT NULL,
  last_page TEXT    NOT NULL,
  PRIMARY KEY (set_id, n)
) WITHOUT ROWID;

-- Vectors of up to 1,024 chunks in a row, as little-endian float16.
CREATE TABLE vectors (
  set_id INTEGER NOT NULL REFERENCES sets (id) ON DELETE CASCADE,
  part   INTEGER NOT NULL,
  data   BLOB    NOT NULL,
  PRIMARY KEY (set_id, part)
);

-- Work that must survive a restart. owner and lease_until (seconds) say who is
-- at it; kind is 'file' (read, cut, embed) or 'set' (cut and embed anew).
CREATE TABLE jobs (
  id          INTEGER NOT NULL PRIMARY KEY,
  kind        TEXT    NOT NULL,
  file_id     TEXT    NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  profile     TEXT    NOT NULL,
  user_id     TEXT    NOT NULL,
  attempts    INTEGER NOT NULL,
  owner       TEXT    NOT NULL,
  lease_until INTEGER NOT NULL,
  not_before  INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  UNIQUE (file_id, profile)
);
CREATE INDEX jobs_lease ON jobs (lease_until, id);
CREATE INDEX jobs_user ON jobs (kind, user_id, id);

-- Names and counters of the instance, never reset: 'seq' counts what becomes
-- visible, 'set' and 'job' give ids, 'id' tells one database from another,
-- 'turn' is who was served last when work was given out.
CREATE TABLE instance (
  name  TEXT    NOT NULL PRIMARY KEY,
  value TEXT    NOT NULL,
  n     INTEGER NOT NULL
);
INSERT INTO instance (name, value, n) VALUES ('seq', '', 0), ('set', '', 0), ('job', '', 0), ('id', '', 0), ('turn', '', 0);

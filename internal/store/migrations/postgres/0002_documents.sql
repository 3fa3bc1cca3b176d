-- The same tables as for SQLite.
-- Files, what was read in them, and the collections they are in. Bytes and
-- extracted documents are blobs, named by their SHA-256, outside the database.
-- kind is 'upload' for what is listed, else 'text' or 'web'. status is '' for
-- what nobody asked to be read, else pending, processing, completed or failed.
-- search is the name in lower case; target_… is the collection that a file goes
-- to once it is read, '' when it is there.
CREATE TABLE files (
  id           text COLLATE "C" NOT NULL PRIMARY KEY,
  user_id      text COLLATE "C" NOT NULL,
  kind         text COLLATE "C" NOT NULL,
  filename     text COLLATE "C" NOT NULL,
  search       text NOT NULL,
  content_type text COLLATE "C" NOT NULL,
  size         bigint NOT NULL,
  blob         text COLLATE "C" NOT NULL,
  metadata     text NOT NULL,
  status       text COLLATE "C" NOT NULL,
  error        text NOT NULL,
  document     text COLLATE "C" NOT NULL,
  text_hash    text COLLATE "C" NOT NULL,
  warnings     text NOT NULL,
  target_knowledge text COLLATE "C" NOT NULL,
  target_directory text COLLATE "C" NOT NULL,
  created_at   bigint NOT NULL,
  updated_at   bigint NOT NULL
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
  id           text COLLATE "C" NOT NULL PRIMARY KEY,
  user_id      text COLLATE "C" NOT NULL,
  kind         text COLLATE "C" NOT NULL,
  name         text COLLATE "C" NOT NULL,
  description  text NOT NULL,
  search       text COLLATE "C" NOT NULL,
  meta         text NOT NULL,
  settings     text NOT NULL,
  profile      text COLLATE "C" NOT NULL,
  next_profile text COLLATE "C" NOT NULL,
  created_at   bigint NOT NULL,
  updated_at   bigint NOT NULL
);
CREATE INDEX knowledge_user ON knowledge (user_id, kind, name);
CREATE INDEX knowledge_updated ON knowledge (kind, updated_at, id);
CREATE INDEX knowledge_created ON knowledge (kind, created_at, id);
CREATE INDEX knowledge_search ON knowledge (kind, search, id);

CREATE TABLE directories (
  id           text COLLATE "C" NOT NULL PRIMARY KEY,
  knowledge_id text COLLATE "C" NOT NULL REFERENCES knowledge (id) ON DELETE CASCADE,
  parent_id    text COLLATE "C"    REFERENCES directories (id) ON DELETE CASCADE,
  user_id      text COLLATE "C" NOT NULL,
  name         text COLLATE "C" NOT NULL,
  meta         text NOT NULL,
  created_at   bigint NOT NULL,
  updated_at   bigint NOT NULL
);
CREATE INDEX directories_parent ON directories (knowledge_id, parent_id, name);
CREATE INDEX directories_above ON directories (parent_id);

-- path is the file's name in a folder that is kept in sync, '' else.
CREATE TABLE knowledge_files (
  knowledge_id text COLLATE "C" NOT NULL REFERENCES knowledge (id) ON DELETE CASCADE,
  file_id      text COLLATE "C" NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  directory_id text COLLATE "C"    REFERENCES directories (id) ON DELETE SET NULL,
  user_id      text COLLATE "C" NOT NULL,
  path         text COLLATE "C" NOT NULL,
  created_at   bigint NOT NULL,
  updated_at   bigint NOT NULL,
  PRIMARY KEY (knowledge_id, file_id)
);
CREATE INDEX knowledge_files_file ON knowledge_files (file_id);
CREATE INDEX knowledge_files_path ON knowledge_files (knowledge_id, path);
CREATE INDEX knowledge_files_directory ON knowledge_files (directory_id);

-- A profile is how a file is cut and embedded: its id is the hash of its
-- settings, a JSON object.
CREATE TABLE profiles (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  settings   text NOT NULL,
  created_at bigint NOT NULL
);

-- A set is the chunks of one file under one profile. text_seq and vector_seq
-- are the positions at which its text and its vectors became visible, 0 while
-- they are not.
CREATE TABLE sets (
  id         bigint NOT NULL PRIMARY KEY,
  file_id    text COLLATE "C" NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  profile    text COLLATE "C" NOT NULL,
  space      text COLLATE "C" NOT NULL,
  chunks     bigint NOT NULL,
  text_seq   bigint NOT NULL,
  vector_seq bigint NOT NULL,
  error      text NOT NULL,
  created_at bigint NOT NULL,
  UNIQUE (file_id, profile)
);
CREATE INDEX sets_text ON sets (text_seq);
CREATE INDEX sets_vector ON sets (vector_seq);
CREATE INDEX sets_profile ON sets (profile);

-- first and last are positions in the file's text, in characters; context is
-- what the chunk is read with: title, headings, the header of its table.
CREATE TABLE chunks (
  set_id    bigint NOT NULL REFERENCES sets (id) ON DELETE CASCADE,
  n         bigint NOT NULL,
  text      text NOT NULL,
  context   text NOT NULL,
  first     bigint NOT NULL,
  last      bigint NOT NULL,
  page      text COLLATE "C" NOT NULL,
  last_page text COLLATE "C" NOT NULL,
  PRIMARY KEY (set_id, n)
);

-- Vectors of up to 1,024 chunks in a row, as little-endian float16.
CREATE TABLE vectors (
  set_id bigint NOT NULL REFERENCES sets (id) ON DELETE CASCADE,
  part   bigint NOT NULL,
  data   bytea NOT NULL,
  PRIMARY KEY (set_id, part)
);

-- Work that must survive a restart. owner and lease_until (seconds) say who is
-- at it; kind is 'file' (read, cut, embed) or 'set' (cut and embed anew).
CREATE TABLE jobs (
  id          bigint NOT NULL PRIMARY KEY,
  kind        text COLLATE "C" NOT NULL,
  file_id     text COLLATE "C" NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  profile     text COLLATE "C" NOT NULL,
  user_id     text COLLATE "C" NOT NULL,
  attempts    bigint NOT NULL,
  owner       text COLLATE "C" NOT NULL,
  lease_until bigint NOT NULL,
  not_before  bigint NOT NULL,
  created_at  bigint NOT NULL,
  UNIQUE (file_id, profile)
);
CREATE INDEX jobs_lease ON jobs (lease_until, id);
CREATE INDEX jobs_user ON jobs (kind, user_id, id);

-- Names and counters of the instance, never reset: 'seq' counts what becomes
-- visible, 'set' and 'job' give ids, 'id' tells one database from another,
-- 'turn' is who was served last when work was given out.
CREATE TABLE instance (
  name  text COLLATE "C" NOT NULL PRIMARY KEY,
  value text NOT NULL,
  n     bigint NOT NULL
);
INSERT INTO instance (name, value, n) VALUES ('seq', '', 0), ('set', '', 0), ('job', '', 0), ('id', '', 0), ('turn', '', 0);

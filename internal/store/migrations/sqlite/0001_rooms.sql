-- Times are seconds since 1970. JSON is text. search is "name\nemail" in lower
-- case: what lists of people sort by name and search in.
CREATE TABLE users (
  id                TEXT    NOT NULL PRIMARY KEY,
  email             TEXT    NOT NULL UNIQUE,
  name              TEXT    NOT NULL,
  role              TEXT    NOT NULL,
  profile_image_url TEXT    NOT NULL,
  timezone          TEXT    NOT NULL,
  settings          TEXT    NOT NULL,
  info              TEXT    NOT NULL,
  search            TEXT    NOT NULL,
  last_active_at    INTEGER NOT NULL,
  created_at        INTEGER NOT NULL,
  updated_at        INTEGER NOT NULL
);
CREATE INDEX users_created ON users (created_at, id);
CREATE INDEX users_search ON users (search, id);
CREATE INDEX users_role ON users (role, id);
CREATE INDEX users_active ON users (last_active_at, id);

CREATE TABLE credentials (
  user_id       TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  password_hash TEXT NOT NULL,
  stamp         TEXT NOT NULL
);

-- expires_at 0 is a token that never expires.
CREATE TABLE revoked_tokens (
  jti        TEXT    NOT NULL PRIMARY KEY,
  user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  expires_at INTEGER NOT NULL
);
CREATE INDEX revoked_tokens_user ON revoked_tokens (user_id);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);

CREATE TABLE api_keys (
  id         TEXT    NOT NULL PRIMARY KEY,
  user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name       TEXT    NOT NULL,
  hash       BLOB    NOT NULL UNIQUE,
  prefix     TEXT    NOT NULL,
  last4      TEXT    NOT NULL,
  models     TEXT    NOT NULL,
  routes     TEXT    NOT NULL,
  expires_at INTEGER NOT NULL,
  last_used  INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (user_id, name)
);

CREATE TABLE groups (
  id          TEXT    NOT NULL PRIMARY KEY,
  user_id     TEXT    NOT NULL,
  name        TEXT    NOT NULL,
  description TEXT    NOT NULL,
  permissions TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
);

CREATE TABLE group_members (
  group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_user ON group_members (user_id, group_id);

CREATE TABLE grants (
  id             TEXT    NOT NULL PRIMARY KEY,
  resource_type  TEXT    NOT NULL,
  resource_id    TEXT    NOT NULL,
  principal_type TEXT    NOT NULL,
  principal_id   TEXT    NOT NULL,
  permission     TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  UNIQUE (resource_type, resource_id, principal_type, principal_id, permission)
);
CREATE INDEX grants_principal ON grants (principal_type, principal_id);

CREATE TABLE models (
  id            TEXT    NOT NULL PRIMARY KEY,
  user_id       TEXT    NOT NULL,
  base_model_id TEXT,
  name          TEXT    NOT NULL,
  params        TEXT    NOT NULL,
  meta          TEXT    NOT NULL,
  is_active     BOOLEAN NOT NULL,
  version_id    TEXT    NOT NULL,
  updated_at    INTEGER NOT NULL,
  created_at    INTEGER NOT NULL
);
CREATE INDEX models_created ON models (created_at, id);

CREATE TABLE chats (
  id         TEXT    NOT NULL PRIMARY KEY,
  user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  title      TEXT    NOT NULL,
  chat       TEXT    NOT NULL,
  meta       TEXT    NOT NULL,
  folder_id  TEXT,
  share_id   TEXT    UNIQUE,
  archived   BOOLEAN NOT NULL,
  pinned     BOOLEAN NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX chats_user ON chats (user_id, updated_at, id);

CREATE TABLE settings (
  name       TEXT    NOT NULL PRIMARY KEY,
  value      TEXT    NOT NULL,
  updated_at INTEGER NOT NULL
);

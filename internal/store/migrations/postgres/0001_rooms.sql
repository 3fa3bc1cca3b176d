-- The same tables as for SQLite. Text that is compared or sorted is compared by
-- its bytes, as SQLite does it.
-- Times are seconds since 1970. JSON is text. search is "name\nemail" in lower
-- case: what lists of people sort by name and search in.
CREATE TABLE users (
  id                text COLLATE "C" NOT NULL PRIMARY KEY,
  email             text COLLATE "C" NOT NULL UNIQUE,
  name              text COLLATE "C" NOT NULL,
  role              text COLLATE "C" NOT NULL,
  profile_image_url text    NOT NULL,
  timezone          text    NOT NULL,
  settings          text    NOT NULL,
  info              text    NOT NULL,
  search            text COLLATE "C" NOT NULL,
  last_active_at    bigint  NOT NULL,
  created_at        bigint  NOT NULL,
  updated_at        bigint  NOT NULL
);
CREATE INDEX users_created ON users (created_at, id);
CREATE INDEX users_search ON users (search, id);
CREATE INDEX users_role ON users (role, id);
CREATE INDEX users_active ON users (last_active_at, id);

CREATE TABLE credentials (
  user_id       text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  password_hash text NOT NULL,
  stamp         text NOT NULL
);

-- expires_at 0 is a token that never expires.
CREATE TABLE revoked_tokens (
  jti        text COLLATE "C" NOT NULL PRIMARY KEY,
  user_id    text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  expires_at bigint  NOT NULL
);
CREATE INDEX revoked_tokens_user ON revoked_tokens (user_id);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);

CREATE TABLE api_keys (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  user_id    text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name       text COLLATE "C" NOT NULL,
  hash       bytea   NOT NULL UNIQUE,
  prefix     text    NOT NULL,
  last4      text    NOT NULL,
  models     text    NOT NULL,
  routes     text    NOT NULL,
  expires_at bigint  NOT NULL,
  last_used  bigint  NOT NULL,
  created_at bigint  NOT NULL,
  UNIQUE (user_id, name)
);

CREATE TABLE groups (
  id          text COLLATE "C" NOT NULL PRIMARY KEY,
  user_id     text COLLATE "C" NOT NULL,
  name        text COLLATE "C" NOT NULL,
  description text    NOT NULL,
  permissions text    NOT NULL,
  created_at  bigint  NOT NULL,
  updated_at  bigint  NOT NULL
);

CREATE TABLE group_members (
  group_id text COLLATE "C" NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  user_id  text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_user ON group_members (user_id, group_id);

CREATE TABLE grants (
  id             text COLLATE "C" NOT NULL PRIMARY KEY,
  resource_type  text COLLATE "C" NOT NULL,
  resource_id    text COLLATE "C" NOT NULL,
  principal_type text COLLATE "C" NOT NULL,
  principal_id   text COLLATE "C" NOT NULL,
  permission     text COLLATE "C" NOT NULL,
  created_at     bigint  NOT NULL,
  UNIQUE (resource_type, resource_id, principal_type, principal_id, permission)
);
CREATE INDEX grants_principal ON grants (principal_type, principal_id);

CREATE TABLE models (
  id            text COLLATE "C" NOT NULL PRIMARY KEY,
  user_id       text COLLATE "C" NOT NULL,
  base_model_id text COLLATE "C",
  name          text COLLATE "C" NOT NULL,
  params        text    NOT NULL,
  meta          text    NOT NULL,
  is_active     boolean NOT NULL,
  version_id    text    NOT NULL,
  updated_at    bigint  NOT NULL,
  created_at    bigint  NOT NULL
);
CREATE INDEX models_created ON models (created_at, id);

CREATE TABLE chats (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  user_id    text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  title      text    NOT NULL,
  chat       text    NOT NULL,
  meta       text    NOT NULL,
  folder_id  text COLLATE "C",
  share_id   text COLLATE "C" UNIQUE,
  archived   boolean NOT NULL,
  pinned     boolean NOT NULL,
  created_at bigint  NOT NULL,
  updated_at bigint  NOT NULL
);
CREATE INDEX chats_user ON chats (user_id, updated_at, id);

CREATE TABLE settings (
  name       text COLLATE "C" NOT NULL PRIMARY KEY,
  value      text    NOT NULL,
  updated_at bigint  NOT NULL
);

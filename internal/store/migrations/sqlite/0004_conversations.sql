-- Saved chats, the parts that lists do not read apart from those that they do.
-- body is the JSON object that clients keep; words is what is searched, in
-- lower case. share_id of chats is the id of a row in chat_shares.
CREATE TABLE chat_bodies (
  chat_id TEXT NOT NULL PRIMARY KEY REFERENCES chats (id) ON DELETE CASCADE,
  body    TEXT NOT NULL,
  words   TEXT NOT NULL
);
INSERT INTO chat_bodies (chat_id, body, words) SELECT id, chat, lower(title) FROM chats;
ALTER TABLE chats DROP COLUMN chat;
ALTER TABLE chats ADD COLUMN read_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX chats_folder ON chats (folder_id, updated_at) WHERE folder_id IS NOT NULL;

CREATE TABLE chat_tags (
  chat_id TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
  tag_id  TEXT NOT NULL,
  name    TEXT NOT NULL,
  PRIMARY KEY (chat_id, tag_id)
);
CREATE INDEX chat_tags_tag ON chat_tags (tag_id, chat_id);

-- What others read of a chat: a copy from when it was shared.
CREATE TABLE chat_shares (
  id         TEXT    NOT NULL PRIMARY KEY,
  chat_id    TEXT    NOT NULL UNIQUE REFERENCES chats (id) ON DELETE CASCADE,
  user_id    TEXT    NOT NULL,
  title      TEXT    NOT NULL,
  body       TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);

-- Places for chats; parent_id is '' at the top. meta and data are JSON
-- objects, or ''.
CREATE TABLE folders (
  id         TEXT    NOT NULL PRIMARY KEY,
  user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  parent_id  TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  expanded   BOOLEAN NOT NULL,
  meta       TEXT    NOT NULL,
  data       TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX folders_user ON folders (user_id, created_at, id);

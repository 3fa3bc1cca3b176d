-- The same tables as for SQLite.
-- Saved chats, the parts that lists do not read apart from those that they do.
-- body is the JSON object that clients keep; words is what is searched, in
-- lower case. share_id of chats is the id of a row in chat_shares.
CREATE TABLE chat_bodies (
  chat_id text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES chats (id) ON DELETE CASCADE,
  body    text NOT NULL,
  words   text COLLATE "C" NOT NULL
);
INSERT INTO chat_bodies (chat_id, body, words) SELECT id, chat, lower(title) FROM chats;
ALTER TABLE chats DROP COLUMN chat;
ALTER TABLE chats ADD COLUMN read_at bigint NOT NULL DEFAULT 0;
CREATE INDEX chats_folder ON chats (folder_id, updated_at) WHERE folder_id IS NOT NULL;

CREATE TABLE chat_tags (
  chat_id text COLLATE "C" NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
  tag_id  text COLLATE "C" NOT NULL,
  name    text COLLATE "C" NOT NULL,
  PRIMARY KEY (chat_id, tag_id)
);
CREATE INDEX chat_tags_tag ON chat_tags (tag_id, chat_id);

-- What others read of a chat: a copy from when it was shared.
CREATE TABLE chat_shares (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  chat_id    text COLLATE "C" NOT NULL UNIQUE REFERENCES chats (id) ON DELETE CASCADE,
  user_id    text COLLATE "C" NOT NULL,
  title      text COLLATE "C" NOT NULL,
  body       text NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);

-- Places for chats; parent_id is '' at the top. meta and data are JSON
-- objects, or ''.
CREATE TABLE folders (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  user_id    text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  parent_id  text COLLATE "C" NOT NULL,
  name       text COLLATE "C" NOT NULL,
  expanded   boolean NOT NULL,
  meta       text NOT NULL,
  data       text NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE INDEX folders_user ON folders (user_id, created_at, id);

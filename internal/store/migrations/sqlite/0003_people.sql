-- What people say of themselves. Empty is nothing said.
ALTER TABLE users ADD COLUMN bio               TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN gender            TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN date_of_birth     TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN status_emoji      TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN status_message    TEXT    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN status_expires_at INTEGER NOT NULL DEFAULT 0;

-- JSON of the clients' own making.
ALTER TABLE groups ADD COLUMN data TEXT NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN meta TEXT NOT NULL DEFAULT '';

-- What a workspace model was before it was changed: the last versions of each.
CREATE TABLE model_versions (
  model_id   TEXT    NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  version_id TEXT    NOT NULL,
  user_id    TEXT    NOT NULL,
  snapshot   TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (model_id, created_at, version_id)
);

-- What people say of themselves. Empty is nothing said.
ALTER TABLE users ADD COLUMN bio               text   NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN gender            text   NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN date_of_birth     text   NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN status_emoji      text   NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN status_message    text   NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN status_expires_at bigint NOT NULL DEFAULT 0;

-- JSON of the clients' own making.
ALTER TABLE groups ADD COLUMN data text NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN meta text NOT NULL DEFAULT '';

-- What a workspace model was before it was changed: the last versions of each.
CREATE TABLE model_versions (
  model_id   text COLLATE "C" NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  version_id text COLLATE "C" NOT NULL,
  user_id    text   NOT NULL,
  snapshot   text   NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (model_id, created_at, version_id)
);

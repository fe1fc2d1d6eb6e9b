-- API keys and the answers kept for repeated requests.

CREATE TABLE api_keys (
  id            TEXT NOT NULL PRIMARY KEY,
  key_hash      BLOB NOT NULL UNIQUE,                  -- HMAC-SHA-256 under a pepper outside the database
  pepper_id     TEXT NOT NULL,                         -- names the pepper
  last_four     TEXT NOT NULL,
  label         TEXT NOT NULL,
  role          TEXT,
  scopes        TEXT NOT NULL,                         -- JSON array
  domains       TEXT NOT NULL,                         -- JSON array; empty means all
  allowed_cidrs TEXT NOT NULL,                         -- JSON array; empty means any
  state         TEXT NOT NULL,
  expires_at    INTEGER,
  last_used_at  INTEGER,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  revision      INTEGER NOT NULL
) STRICT;
CREATE INDEX api_keys_by_creation ON api_keys (created_at, id);

CREATE TABLE idempotent_responses (
  scope_hash      TEXT NOT NULL PRIMARY KEY,
  request_hash    TEXT NOT NULL,
  sealed_response BLOB NOT NULL,
  expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotent_responses_by_expiry ON idempotent_responses (expires_at);

-- Domains, users and credentials. Times are milliseconds since the Unix epoch.

CREATE TABLE domains (
  name                    TEXT NOT NULL PRIMARY KEY,
  realm                   TEXT NOT NULL,
  algorithms              TEXT NOT NULL,               -- JSON array, strongest first
  challenge               TEXT NOT NULL,
  allow_no_qop            INTEGER NOT NULL,
  min_expires_seconds     INTEGER NOT NULL,
  default_expires_seconds INTEGER NOT NULL,
  max_expires_seconds     INTEGER NOT NULL,
  max_bindings_per_user   INTEGER NOT NULL,
  overflow                TEXT NOT NULL,
  sequence                TEXT NOT NULL,
  routing                 TEXT NOT NULL,
  max_users               INTEGER,
  user_count              INTEGER NOT NULL DEFAULT 0,  -- kept by the triggers below
  created_at              INTEGER NOT NULL,
  updated_at              INTEGER NOT NULL,
  revision                INTEGER NOT NULL
) STRICT;

CREATE TABLE domain_aliases (
  alias  TEXT NOT NULL PRIMARY KEY,
  domain TEXT NOT NULL REFERENCES domains (name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX domain_aliases_by_domain ON domain_aliases (domain);

CREATE TABLE users (
  seq                INTEGER PRIMARY KEY,
  id                 TEXT NOT NULL UNIQUE,
  domain             TEXT NOT NULL REFERENCES domains (name),
  username           TEXT NOT NULL,
  display_name       TEXT,
  tags               TEXT NOT NULL,                    -- JSON array
  external_id        TEXT,
  max_bindings       INTEGER,
  challenge          TEXT,
  may_register       TEXT NOT NULL,                    -- JSON array of addresses-of-record
  expires_at         INTEGER,
  blocked_until      INTEGER,
  last_registered_at INTEGER,                          -- of bindings that are gone; live ones say it themselves
  created_at         INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL,
  revision           INTEGER NOT NULL,
  UNIQUE (domain, username)
) STRICT;
CREATE INDEX users_by_username ON users (username, id);
CREATE INDEX users_by_creation ON users (created_at, id);
CREATE INDEX users_by_update ON users (updated_at, id);
CREATE UNIQUE INDEX users_by_external_id ON users (domain, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX users_with_challenge ON users (domain, challenge) WHERE challenge IS NOT NULL;

CREATE TRIGGER users_counted_in AFTER INSERT ON users
BEGIN
  UPDATE domains SET user_count = user_count + 1 WHERE name = new.domain;
END;
CREATE TRIGGER users_counted_out AFTER DELETE ON users
BEGIN
  UPDATE domains SET user_count = user_count - 1 WHERE name = old.domain;
END;

-- What a user's calls should be handled by: a document of RFC 3880.
CREATE TABLE call_scripts (
  user_id    TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  script     TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE credentials (
  seq           INTEGER PRIMARY KEY,
  id            TEXT NOT NULL UNIQUE,
  user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  domain        TEXT NOT NULL,
  auth_username TEXT NOT NULL,
  realm         TEXT NOT NULL,
  algorithms    TEXT NOT NULL,                         -- JSON array, strongest first
  label         TEXT,
  state         TEXT NOT NULL,
  sealed_secret BLOB NOT NULL,                         -- AES-256-GCM; empty once revoked
  key_id        TEXT NOT NULL,
  expires_at    INTEGER,
  revoked_at    INTEGER,
  last_used_at  INTEGER,                               -- by bindings that are gone; live ones say it themselves
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  revision      INTEGER NOT NULL
) STRICT;
CREATE INDEX credentials_by_user ON credentials (user_id);
CREATE INDEX credentials_by_name ON credentials (domain, auth_username) WHERE state = 'active';

-- Bans by operators; what the server bans by itself lives in memory. Times are milliseconds since the Unix epoch.

CREATE TABLE bans (
  id         TEXT NOT NULL PRIMARY KEY,
  network    TEXT NOT NULL,                            -- an address, or a network in CIDR notation
  domain     TEXT,                                     -- null: all domains
  username   TEXT,                                     -- null: all users of the domain
  reason     TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  created_by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX bans_by_expiry ON bans (expires_at);

-- Bindings and forced deregistrations. Texts from the wire are octet strings: one character a byte.

CREATE TABLE bindings (
  seq             INTEGER PRIMARY KEY,
  id              TEXT NOT NULL UNIQUE,
  user_id         TEXT NOT NULL REFERENCES users (id),
  domain          TEXT NOT NULL,
  username        TEXT NOT NULL,
  contact         TEXT NOT NULL,                       -- not unique: URI equality is no equality of texts
  display_name    TEXT NOT NULL,
  contact_params  TEXT NOT NULL,
  q_thousandths   INTEGER,
  instance_id     TEXT,
  reg_id          INTEGER,
  call_id         TEXT NOT NULL,
  cseq            INTEGER NOT NULL,
  user_agent      TEXT,
  transport       TEXT NOT NULL,
  received_ip     TEXT NOT NULL,
  received_key    TEXT NOT NULL,                       -- the address as 32 hex digits, so that a network is a range
  received_port   INTEGER NOT NULL,
  flow_id         TEXT,
  credential_id   TEXT,
  registered_at   INTEGER NOT NULL,
  refreshed_at    INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,
  -- When the sweep looks at the row: the expiry it was created with. A refresh moves only expires_at, which no
  -- index holds; the sweep moves this one on, so an index page is written once an interval, not once a refresh.
  sweep_at        INTEGER NOT NULL
) STRICT;
CREATE INDEX bindings_by_user ON bindings (user_id);
CREATE INDEX bindings_by_sweep ON bindings (sweep_at);
CREATE INDEX bindings_by_registration ON bindings (registered_at, id);
CREATE INDEX bindings_by_domain ON bindings (domain, username);
CREATE INDEX bindings_by_address ON bindings (username || '@' || domain, id);
CREATE INDEX bindings_by_source ON bindings (received_key);
CREATE INDEX bindings_by_user_agent ON bindings (user_agent);
CREATE INDEX bindings_by_credential ON bindings (credential_id);
CREATE INDEX bindings_by_instance ON bindings (instance_id) WHERE instance_id IS NOT NULL;
CREATE INDEX bindings_by_flow ON bindings (flow_id) WHERE flow_id IS NOT NULL;

CREATE TABLE deregistrations (
  id            TEXT NOT NULL PRIMARY KEY,
  state         TEXT NOT NULL,
  mode          TEXT NOT NULL,
  filter        TEXT NOT NULL,                         -- JSON
  reason        TEXT,
  block_seconds INTEGER,
  blocked_until INTEGER,
  close_flows   INTEGER NOT NULL,
  matched       INTEGER NOT NULL,
  removed       INTEGER NOT NULL,
  effects       TEXT NOT NULL,                         -- JSON
  sample        TEXT NOT NULL,                         -- JSON array of binding ids
  created_by    TEXT NOT NULL,
  created_at    INTEGER NOT NULL,
  completed_at  INTEGER
) STRICT;
CREATE INDEX deregistrations_by_creation ON deregistrations (created_at, id);
CREATE INDEX deregistrations_running ON deregistrations (state) WHERE state = 'running';

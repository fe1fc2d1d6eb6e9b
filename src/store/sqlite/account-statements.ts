import { MAX_ACTIVE_CREDENTIALS } from '../../accounts/credential.js';
import type { Db } from './database.js';

export const DOMAIN_COLUMNS = `d.*, (SELECT json_group_array(a.alias) FROM domain_aliases a WHERE a.domain = d.name) AS aliases`;
// What is live says itself when it was last used; the stored columns speak of what is gone.
export const USER_COLUMNS = `u.*,
  (SELECT count(*) FROM bindings b WHERE b.user_id = u.id AND b.expires_at > ?) AS live_bindings,
  (SELECT max(b.refreshed_at) FROM bindings b WHERE b.user_id = u.id) AS live_refreshed_at`;
const CREDENTIAL_COLUMNS = `c.*,
  (SELECT max(b.refreshed_at) FROM bindings b WHERE b.credential_id = c.id) AS live_used_at`;

/** Every statement of the account store, prepared once. */
export function prepareAccountStatements(db: Db) {
  return {
    domain: db.prepare(`SELECT ${DOMAIN_COLUMNS} FROM domains d WHERE d.name = ?`),
    domainByHost: db.prepare(
      `SELECT ${DOMAIN_COLUMNS} FROM domains d
       WHERE d.name = ? OR d.name = (SELECT domain FROM domain_aliases WHERE alias = ?)`,
    ),
    domainNameByHost: db
      .prepare(
        'SELECT name FROM domains WHERE name = ? UNION ALL SELECT domain FROM domain_aliases WHERE alias = ? ORDER BY 1',
      )
      .pluck(),
    insertDomain: db.prepare(
      `INSERT INTO domains (name, realm, algorithms, challenge, allow_no_qop, min_expires_seconds,
         default_expires_seconds, max_expires_seconds, max_bindings_per_user, overflow, sequence, routing, max_users,
         created_at, updated_at, revision)
       VALUES (:name, :realm, :algorithms, :challenge, :allow_no_qop, :min_expires_seconds,
         :default_expires_seconds, :max_expires_seconds, :max_bindings_per_user, :overflow, :sequence, :routing,
         :max_users, :created_at, :updated_at, :revision)`,
    ),
    updateDomain: db.prepare(
      `UPDATE domains SET realm = :realm, algorithms = :algorithms, challenge = :challenge,
         allow_no_qop = :allow_no_qop, min_expires_seconds = :min_expires_seconds,
         default_expires_seconds = :default_expires_seconds, max_expires_seconds = :max_expires_seconds,
         max_bindings_per_user = :max_bindings_per_user, overflow = :overflow, sequence = :sequence,
         routing = :routing, max_users = :max_users, updated_at = :updated_at, revision = :revision
       WHERE name = :name`,
    ),
    deleteDomain: db.prepare('DELETE FROM domains WHERE name = ?'),
    insertAlias: db.prepare('INSERT INTO domain_aliases (alias, domain) VALUES (?, ?)'),
    deleteAliases: db.prepare('DELETE FROM domain_aliases WHERE domain = ?'),
    userCount: db.prepare('SELECT user_count FROM domains WHERE name = ?').pluck(),
    challengeOverrides: db.prepare(
      'SELECT challenge, count(*) AS users FROM users WHERE domain = ? AND challenge IS NOT NULL GROUP BY challenge',
    ),
    hasCredentials: db
      .prepare(`SELECT 1 FROM credentials WHERE domain = ? AND state = 'active' LIMIT 1`)
      .pluck(),
    plainUser: db.prepare('SELECT * FROM users WHERE id = ?'),
    userById: db.prepare(`SELECT ${USER_COLUMNS} FROM users u WHERE u.id = ?`),
    userByName: db.prepare(`SELECT ${USER_COLUMNS} FROM users u WHERE u.domain = ? AND u.username = ?`),
    userIdByName: db.prepare('SELECT id FROM users WHERE domain = ? AND username = ?').pluck(),
    userIdByExternalId: db.prepare('SELECT id FROM users WHERE domain = ? AND external_id = ?').pluck(),
    domainOfUser: db.prepare('SELECT domain FROM users WHERE id = ?').pluck(),
    insertUser: db.prepare(
      `INSERT INTO users (id, domain, username, display_name, tags, external_id, max_bindings, challenge,
         may_register, expires_at, created_at, updated_at, revision)
       VALUES (:id, :domain, :username, :display_name, :tags, :external_id, :max_bindings, :challenge,
         :may_register, :expires_at, :created_at, :updated_at, :revision)`,
    ),
    updateUser: db.prepare(
      `UPDATE users SET display_name = :display_name, tags = :tags, external_id = :external_id,
         max_bindings = :max_bindings, challenge = :challenge, may_register = :may_register,
         expires_at = :expires_at, updated_at = :updated_at, revision = :revision
       WHERE id = :id AND domain = :domain AND username = :username`,
    ),
    deleteUser: db.prepare('DELETE FROM users WHERE id = ?'),
    deleteUsersOfDomain: db.prepare('DELETE FROM users WHERE domain = ?'),
    credential: db.prepare(
      `SELECT ${CREDENTIAL_COLUMNS} FROM credentials c WHERE c.id = ? AND c.user_id = ?`,
    ),
    credentialsOfUser: db.prepare(
      `SELECT ${CREDENTIAL_COLUMNS} FROM credentials c WHERE c.user_id = ? ORDER BY c.created_at, c.id`,
    ),
    credentialsByName: db.prepare(
      `SELECT c.*, NULL AS live_used_at FROM credentials c
       WHERE c.domain = ? AND c.auth_username = ? AND c.state = 'active'
       ORDER BY c.expires_at IS NOT NULL, c.expires_at DESC, c.seq LIMIT ${MAX_ACTIVE_CREDENTIALS}`,
    ),
    keyIds: db.prepare(`SELECT DISTINCT key_id FROM credentials WHERE state = 'active'`).pluck(),
    authUsernames: db.prepare('SELECT DISTINCT auth_username FROM credentials WHERE user_id = ?').pluck(),
    ownerOfAuthUsername: db
      .prepare(
        `SELECT user_id FROM credentials
         WHERE domain = ? AND auth_username = ? AND state = 'active' AND user_id <> ? LIMIT 1`,
      )
      .pluck(),
    otherActiveCredentials: db
      .prepare(
        `SELECT count(*) FROM credentials
         WHERE user_id = ? AND id <> ? AND state = 'active' AND (expires_at IS NULL OR expires_at > ?)`,
      )
      .pluck(),
    insertCredential: db.prepare(
      `INSERT INTO credentials (id, user_id, domain, auth_username, realm, algorithms, label, state, sealed_secret,
         key_id, expires_at, revoked_at, created_at, updated_at, revision)
       VALUES (:id, :user_id, :domain, :auth_username, :realm, :algorithms, :label, :state, :sealed_secret,
         :key_id, :expires_at, :revoked_at, :created_at, :updated_at, :revision)`,
    ),
    updateCredential: db.prepare(
      `UPDATE credentials SET label = :label, state = :state, expires_at = :expires_at, revoked_at = :revoked_at,
         updated_at = :updated_at, revision = :revision WHERE id = :id`,
    ),
    eraseSecret: db.prepare(`UPDATE credentials SET sealed_secret = x'' WHERE id = ?`),
    forgetOldRevoked: db.prepare(
      `DELETE FROM credentials WHERE user_id = ? AND state = 'revoked' AND id NOT IN (
         SELECT id FROM credentials WHERE user_id = ? AND state = 'revoked' ORDER BY revoked_at DESC, id DESC LIMIT ?)`,
    ),
  };
}

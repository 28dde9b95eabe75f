-- Credentials: what lets people in. Nothing here can be used to get in: secrets are kept as SHA-256.
-- All times are seconds since 1970.

CREATE TABLE chat_sessions (
    key            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT    NOT NULL UNIQUE,
    issuer         TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    environment    TEXT    NOT NULL,
    opened_by      TEXT    NOT NULL, -- "user", "public_token" or "server_key"
    opened_by_id   TEXT,             -- the token or key
    created_at     INTEGER NOT NULL,
    ends_at        INTEGER NOT NULL,
    ended_at       INTEGER,
    ended_because  TEXT,
    version        INTEGER NOT NULL,
    data           TEXT    NOT NULL  -- claims, workflow, origins, state
) STRICT;

CREATE INDEX chat_sessions_by_user   ON chat_sessions (issuer, subject, created_at, id);
CREATE INDEX chat_sessions_by_opener ON chat_sessions (opened_by, opened_by_id);
CREATE INDEX chat_sessions_by_time   ON chat_sessions (created_at, id);
CREATE INDEX chat_sessions_by_end    ON chat_sessions (ends_at);

CREATE TABLE client_secrets (
    digest         BLOB    NOT NULL PRIMARY KEY,
    session        INTEGER NOT NULL REFERENCES chat_sessions (key) ON DELETE CASCADE,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    rotated_at     INTEGER,
    rotation_nonce BLOB,
    rotation_next  BLOB
) STRICT, WITHOUT ROWID;

CREATE INDEX client_secrets_by_session ON client_secrets (session, expires_at);
CREATE INDEX client_secrets_by_expiry  ON client_secrets (expires_at);

CREATE TABLE public_tokens (
    id         TEXT    NOT NULL PRIMARY KEY,
    digest     BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    version    INTEGER NOT NULL,
    data       TEXT    NOT NULL -- hint, label, environment, origins, workflow, quotas
) STRICT;

CREATE TABLE visitors (
    id              TEXT    NOT NULL PRIMARY KEY,
    public_token_id TEXT    NOT NULL,
    resume_digest   BLOB    NOT NULL UNIQUE,
    created_at      INTEGER NOT NULL,
    last_seen_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE server_keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    digest     BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    version    INTEGER NOT NULL,
    data       TEXT    NOT NULL -- hint, label, project, environment
) STRICT;

CREATE TABLE domains (
    origin      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    key         TEXT    NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (origin, environment)
) STRICT, WITHOUT ROWID;

CREATE TABLE refusals (
    origin        TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    count         INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    PRIMARY KEY (origin, environment)
) STRICT, WITHOUT ROWID;

CREATE INDEX refusals_by_time ON refusals (last_seen_at);

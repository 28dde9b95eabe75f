-- Credentials: what lets people in. Nothing here can be used to get in: secrets are kept as SHA-256.
--
-- All times are seconds since 1970. `data` is the record as it was made, in JSON whose form `version` numbers; the
-- columns beside it are what is searched for and what changes later.

CREATE TABLE chat_sessions (
    key           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT    NOT NULL UNIQUE,
    issuer        TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    opened_by     TEXT    NOT NULL, -- "user", "public_token" or "server_key"
    opened_by_id  TEXT,             -- the token or key; none for a user
    created_at    INTEGER NOT NULL,
    ends_at       INTEGER NOT NULL,
    ended_at      INTEGER,
    ended_because TEXT,             -- "revoked", "reused" or "displaced"
    version       INTEGER NOT NULL,
    data          TEXT    NOT NULL
) STRICT;

CREATE INDEX chat_sessions_by_user   ON chat_sessions (issuer, subject, created_at, id);
CREATE INDEX chat_sessions_not_ended ON chat_sessions (issuer, subject, environment, created_at)
    WHERE ended_at IS NULL;
CREATE INDEX chat_sessions_by_opener ON chat_sessions (opened_by_id, opened_by)
    WHERE opened_by_id IS NOT NULL;
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
    key        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    digest     BLOB    NOT NULL UNIQUE,
    revoked_at INTEGER,
    version    INTEGER NOT NULL,
    data       TEXT    NOT NULL
) STRICT;

CREATE TABLE visitors (
    id              TEXT    NOT NULL PRIMARY KEY,
    public_token_id TEXT    NOT NULL,
    resume_digest   BLOB    NOT NULL UNIQUE,
    created_at      INTEGER NOT NULL,
    last_seen_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE server_keys (
    key        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    digest     BLOB    NOT NULL UNIQUE,
    revoked_at INTEGER,
    version    INTEGER NOT NULL,
    data       TEXT    NOT NULL
) STRICT;

CREATE TABLE domains (
    origin      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    key         TEXT    NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (origin, environment)
) STRICT, WITHOUT ROWID;

-- The keys follow the order in which the origins were last seen.
CREATE TABLE refusals (
    key           INTEGER PRIMARY KEY,
    origin        TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    count         INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    UNIQUE (origin, environment)
) STRICT;

-- When a thread was used last, and by which workflow, so that it can be removed when it was kept for long enough.

ALTER TABLE threads ADD COLUMN workflow  TEXT;    -- none where no run has begun since this column is there
ALTER TABLE threads ADD COLUMN active_at INTEGER; -- when a run began last, microseconds since 1970; else `created_at` counts

-- Tokens that work once, and have.
CREATE TABLE used_tokens (
    digest BLOB    PRIMARY KEY,
    until  INTEGER NOT NULL -- seconds since 1970; after that they are refused for their age
) STRICT, WITHOUT ROWID;

CREATE INDEX used_tokens_by_time ON used_tokens (until);

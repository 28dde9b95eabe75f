-- When a thread was used last, and by which workflow, so that it can be removed when it was kept for long enough. Of the
-- threads that are there already nobody knows: they count as used now.

ALTER TABLE threads ADD COLUMN workflow  TEXT;    -- none where no run has begun since this column is there
ALTER TABLE threads ADD COLUMN active_at INTEGER; -- when a run began last, microseconds since 1970; else `created_at` counts

UPDATE threads SET active_at = unixepoch() * 1000000;

-- Tokens that work once, and have.
CREATE TABLE used_tokens (
    digest BLOB    PRIMARY KEY,
    until  INTEGER NOT NULL -- seconds since 1970; after that they are refused for their age
) STRICT, WITHOUT ROWID;

CREATE INDEX used_tokens_by_time ON used_tokens (until);

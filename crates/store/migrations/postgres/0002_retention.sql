-- When a thread was used last, and by which workflow, so that it can be removed when it was kept for long enough. In no
-- index, like whatever a turn changes of a thread.

ALTER TABLE threads
    ADD COLUMN workflow  text COLLATE "C", -- none where no run has begun since this column is there
    ADD COLUMN active_at bigint;           -- when a run began last, microseconds since 1970; else `created_at` counts

-- Tokens that work once, and have.
CREATE TABLE used_tokens (
    until  bigint NOT NULL, -- seconds since 1970; after that they are refused for their age
    digest bytea  PRIMARY KEY
);

CREATE INDEX used_tokens_by_time ON used_tokens (until);

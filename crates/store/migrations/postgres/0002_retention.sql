-- When a thread was used last, and by which workflow, so that it can be removed when it was kept for long enough. In no
-- index, like whatever a turn changes of a thread. Of the threads that are there already nobody knows: they count as used
-- now, by a default that PostgreSQL works out once, without writing a row.

ALTER TABLE threads
    ADD COLUMN workflow  text COLLATE "C", -- none where no run has begun since this column is there
    ADD COLUMN active_at bigint            -- when a run began last, microseconds since 1970; else `created_at` counts
        DEFAULT (extract(epoch FROM now()) * 1000000);
ALTER TABLE threads ALTER COLUMN active_at DROP DEFAULT;

-- Tokens that work once, and have.
CREATE TABLE used_tokens (
    until  bigint NOT NULL, -- seconds since 1970; after that they are refused for their age
    digest bytea  PRIMARY KEY
);

CREATE INDEX used_tokens_by_time ON used_tokens (until);

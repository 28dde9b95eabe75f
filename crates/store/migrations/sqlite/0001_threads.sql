-- Conversations: threads, their items, and what people thought of them.
--
-- Rows are referred to by short integer keys, and `data` holds ChatKit's own JSON, whose form `version` numbers.
-- An item's key is also its place in the thread: a new item's key is above all that are there, and a replaced item
-- keeps its key.

CREATE TABLE threads (
    key        INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice, so that no item can move to another owner
    owner      TEXT    NOT NULL,                  -- "{issuer} {subject}"
    id         TEXT    NOT NULL,
    created_at INTEGER NOT NULL,                  -- microseconds since 1970
    version    INTEGER NOT NULL,
    data       TEXT    NOT NULL,
    UNIQUE (owner, id)
) STRICT;

CREATE INDEX threads_by_time ON threads (owner, created_at, id);

CREATE TABLE items (
    key     INTEGER PRIMARY KEY,
    thread  INTEGER NOT NULL REFERENCES threads (key) ON DELETE CASCADE,
    id      TEXT    NOT NULL,
    version INTEGER NOT NULL,
    data    TEXT    NOT NULL,
    UNIQUE (thread, id)
) STRICT;

-- SQLite ends every index entry with the row's key, so this one holds a thread's items in their order.
CREATE INDEX items_by_place ON items (thread);

CREATE TABLE feedback (
    item    INTEGER PRIMARY KEY REFERENCES items (key) ON DELETE CASCADE,
    kind    TEXT    NOT NULL,
    at      INTEGER NOT NULL -- microseconds since 1970
) STRICT;

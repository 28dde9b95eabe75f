-- Attachments: what is known about the files that people send. Their bytes are outside of the database.

CREATE TABLE attachments (
    key        INTEGER PRIMARY KEY,
    owner      TEXT    NOT NULL,        -- "{issuer} {subject}"
    id         TEXT    NOT NULL UNIQUE, -- whoever the owner: a link names the id alone
    file       TEXT    NOT NULL UNIQUE, -- names the bytes: 32 hexadecimal digits
    item       INTEGER REFERENCES items (key) ON DELETE CASCADE, -- the message, once it is sent
    session    TEXT,                    -- the chat session that it came through
    size       INTEGER NOT NULL,        -- bytes; as announced until they have come
    sha256     BLOB,                    -- none until the bytes have come
    created_at INTEGER NOT NULL,        -- microseconds since 1970
    version    INTEGER NOT NULL,
    data       TEXT    NOT NULL         -- name and media type
) STRICT;

CREATE INDEX attachments_by_owner ON attachments (owner, key);
CREATE INDEX attachments_by_item  ON attachments (item) WHERE item IS NOT NULL;
CREATE INDEX attachments_unsent   ON attachments (created_at) WHERE item IS NULL;

-- Files whose attachments are gone, until their bytes are gone too. The trigger also fires when a deleted thread takes
-- its attachments along, so nothing that deletes can forget the bytes, and a crash in between loses nothing.
CREATE TABLE removed_files (
    file TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TRIGGER attachments_leave_files AFTER DELETE ON attachments
BEGIN
    INSERT INTO removed_files (file) VALUES (old.file) ON CONFLICT DO NOTHING;
END;

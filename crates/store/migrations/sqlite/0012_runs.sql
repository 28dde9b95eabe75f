-- Runs: which answer is in the making in each thread, which messages wait for it, and which requests were sent before.
--
-- A thread's epoch counts the runs that began in it. Whoever writes for a run names the epoch that it began with, and a
-- run that was overtaken writes nothing any more.

ALTER TABLE threads ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE threads ADD COLUMN run TEXT;             -- the one that lives, or was interrupted
ALTER TABLE threads ADD COLUMN run_answers TEXT;     -- the message that it answers
ALTER TABLE threads ADD COLUMN run_interrupted INTEGER NOT NULL DEFAULT 0;

CREATE INDEX threads_alive ON threads (key) WHERE run IS NOT NULL AND run_interrupted = 0;

-- Messages that wait for their turn, in the order of their keys. They are no items yet: what runs now is put before them.
CREATE TABLE queued_messages (
    key     INTEGER PRIMARY KEY,
    thread  INTEGER NOT NULL REFERENCES threads (key) ON DELETE CASCADE,
    id      TEXT    NOT NULL,
    version INTEGER NOT NULL,
    data    TEXT    NOT NULL,
    UNIQUE (thread, id)
) STRICT;

-- As for items: it holds a thread's messages in their order.
CREATE INDEX queued_messages_by_place ON queued_messages (thread);

-- The files of a message that waits. They go with it when it is taken back, and stay with it when it becomes an item.
ALTER TABLE attachments ADD COLUMN queued INTEGER REFERENCES queued_messages (key) ON DELETE CASCADE;

CREATE INDEX attachments_by_queued ON attachments (queued) WHERE queued IS NOT NULL;

CREATE TABLE requests (
    owner       TEXT    NOT NULL, -- "{issuer} {subject}"
    key         TEXT    NOT NULL, -- the client's name for the request
    fingerprint TEXT    NOT NULL, -- tells its body from others
    thread      INTEGER NOT NULL REFERENCES threads (key) ON DELETE CASCADE,
    item        TEXT    NOT NULL, -- the message that it brought
    at          INTEGER NOT NULL, -- microseconds since 1970
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX requests_by_thread ON requests (thread);
CREATE INDEX requests_by_time   ON requests (at);

-- Messages that wait take their owner's room like any other.

CREATE TRIGGER queued_messages_take_bytes AFTER INSERT ON queued_messages
BEGIN
    INSERT INTO message_bytes (owner, bytes)
    SELECT owner, octet_length(new.data) FROM threads WHERE key = new.thread
    ON CONFLICT (owner) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER queued_messages_give_bytes_back AFTER DELETE ON queued_messages
BEGIN
    UPDATE message_bytes SET bytes = bytes - octet_length(old.data)
    WHERE owner = (SELECT owner FROM threads WHERE key = old.thread);
END;

DROP TRIGGER threads_give_bytes_back;

CREATE TRIGGER threads_give_bytes_back BEFORE DELETE ON threads
BEGIN
    UPDATE message_bytes
    SET bytes = bytes
        - coalesce((SELECT sum(octet_length(data)) FROM items WHERE thread = old.key), 0)
        - coalesce((SELECT sum(octet_length(data)) FROM queued_messages WHERE thread = old.key), 0)
    WHERE owner = old.owner;
END;

-- Threads that are on their way out. Nobody finds one any more: its owner is a blank and its key, which no person is. Its
-- items go in steps, and what they took is given back to the one whom it was taken from.

ALTER TABLE threads ADD COLUMN gone_from TEXT;

CREATE INDEX threads_gone ON threads (gone_from) WHERE gone_from IS NOT NULL;

DROP TRIGGER items_give_bytes_back;
DROP TRIGGER queued_messages_give_bytes_back;
DROP TRIGGER threads_give_bytes_back;

CREATE TRIGGER items_give_bytes_back AFTER DELETE ON items
BEGIN
    UPDATE message_bytes SET bytes = bytes - octet_length(old.data)
    WHERE owner = (SELECT coalesce(gone_from, owner) FROM threads WHERE key = old.thread);
END;

CREATE TRIGGER queued_messages_give_bytes_back AFTER DELETE ON queued_messages
BEGIN
    UPDATE message_bytes SET bytes = bytes - octet_length(old.data)
    WHERE owner = (SELECT coalesce(gone_from, owner) FROM threads WHERE key = old.thread);
END;

CREATE TRIGGER threads_give_bytes_back BEFORE DELETE ON threads
BEGIN
    UPDATE message_bytes
    SET bytes = bytes
        - coalesce((SELECT sum(octet_length(data)) FROM items WHERE thread = old.key), 0)
        - coalesce((SELECT sum(octet_length(data)) FROM queued_messages WHERE thread = old.key), 0)
    WHERE owner = coalesce(old.gone_from, old.owner);
END;

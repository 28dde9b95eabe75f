-- How many bytes each owner's messages take, so that the bound on them costs one lookup for each new message.
--
-- Triggers keep the number, so that nothing that writes or deletes can forget it. A deleted thread takes its items along
-- when its own row, which knows the owner, is gone already: so what they took is taken off before.

CREATE TABLE message_bytes (
    owner TEXT    NOT NULL PRIMARY KEY, -- "{issuer} {subject}"
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO message_bytes (owner, bytes)
SELECT threads.owner, sum(octet_length(items.data))
FROM items JOIN threads ON threads.key = items.thread
GROUP BY threads.owner;

CREATE TRIGGER items_take_bytes AFTER INSERT ON items
BEGIN
    INSERT INTO message_bytes (owner, bytes)
    SELECT owner, octet_length(new.data) FROM threads WHERE key = new.thread
    ON CONFLICT (owner) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER items_change_bytes AFTER UPDATE OF data ON items
BEGIN
    UPDATE message_bytes SET bytes = bytes + octet_length(new.data) - octet_length(old.data)
    WHERE owner = (SELECT owner FROM threads WHERE key = new.thread);
END;

CREATE TRIGGER items_give_bytes_back AFTER DELETE ON items
BEGIN
    UPDATE message_bytes SET bytes = bytes - octet_length(old.data)
    WHERE owner = (SELECT owner FROM threads WHERE key = old.thread);
END;

CREATE TRIGGER threads_give_bytes_back BEFORE DELETE ON threads
BEGIN
    UPDATE message_bytes
    SET bytes = bytes
        - coalesce((SELECT sum(octet_length(data)) FROM items WHERE thread = old.key), 0)
    WHERE owner = old.owner;
END;

-- Who keeps nothing is not written down: a person who was forgotten leaves no row.
CREATE TRIGGER message_bytes_end AFTER UPDATE ON message_bytes WHEN new.bytes <= 0
BEGIN
    DELETE FROM message_bytes WHERE owner = new.owner;
END;

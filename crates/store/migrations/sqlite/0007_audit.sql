-- The audit log: append-only. The triggers stand against our own mistakes; whoever owns the file can do anything.
--
-- Times are seconds since 1970. `data` is the record in JSON whose form `version` numbers, without what stands in the
-- columns beside it and in the party.

CREATE TABLE audit_log (
    key        INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: a number that is missing was removed
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    door       TEXT,
    session_id TEXT,
    party      INTEGER,  -- not a reference: the party may be forgotten, and the entry stays as it is
    version    INTEGER NOT NULL,
    data       TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_log_by_time  ON audit_log (at);
CREATE INDEX audit_log_by_party ON audit_log (party) WHERE party IS NOT NULL;

-- Whom entries are about and where they came from: all that has to go when a person is forgotten. '' is nobody, nowhere.
CREATE TABLE audit_parties (
    key     INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice, so that nobody inherits another's entries
    subject TEXT    NOT NULL,
    issuer  TEXT    NOT NULL,
    address TEXT    NOT NULL,
    UNIQUE (subject, issuer, address)
) STRICT;

-- Only entries from before this time may be removed; it moves forward only.
CREATE TABLE audit_retention (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    before   INTEGER NOT NULL
) STRICT;
INSERT INTO audit_retention (only_row, before) VALUES (1, -9223372036854775808);

CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE (ABORT, 'an audit entry cannot be changed'); END;

CREATE TRIGGER audit_log_is_not_replaced BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE key = NEW.key)
BEGIN SELECT RAISE (ABORT, 'an audit entry cannot be replaced'); END;

CREATE TRIGGER audit_log_is_kept BEFORE DELETE ON audit_log
WHEN OLD.at >= (SELECT before FROM audit_retention)
BEGIN SELECT RAISE (ABORT, 'an audit entry cannot be removed before its time'); END;

CREATE TRIGGER audit_parties_are_not_changed BEFORE UPDATE ON audit_parties
BEGIN SELECT RAISE (ABORT, 'an audit entry cannot be given to another person'); END;

CREATE TRIGGER audit_retention_moves_forward BEFORE UPDATE ON audit_retention
WHEN NEW.before < OLD.before
BEGIN SELECT RAISE (ABORT, 'the time of retention moves forward only'); END;

CREATE TRIGGER audit_retention_stays BEFORE DELETE ON audit_retention
BEGIN SELECT RAISE (ABORT, 'the time of retention stays'); END;

-- The login of a chat session as a column: an index over the JSON was computed anew for each session, login or not.
ALTER TABLE chat_sessions ADD COLUMN login TEXT; -- the issuer's `sid`, where the login has one

UPDATE chat_sessions SET login = json_extract(data, '$.claims.sid')
    WHERE json_type(data, '$.claims.sid') = 'text';

DROP INDEX chat_sessions_by_login;
CREATE INDEX chat_sessions_by_login ON chat_sessions (issuer, login)
    WHERE login IS NOT NULL AND ended_at IS NULL;

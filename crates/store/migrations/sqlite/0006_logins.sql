-- Finds the chat sessions that one login of a user has opened: the issuer's `sid` is among the claims.
CREATE INDEX chat_sessions_by_login ON chat_sessions (issuer, json_extract(data, '$.claims.sid'))
    WHERE ended_at IS NULL;

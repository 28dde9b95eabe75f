-- Sessions are listed in the order of their keys, which is the order in which they were opened: fewer indexes to keep for
-- each one. The new index has the live sessions of a user side by side.
DROP INDEX chat_sessions_by_user;
DROP INDEX chat_sessions_not_ended;
DROP INDEX chat_sessions_by_time;
CREATE INDEX chat_sessions_by_user ON chat_sessions (issuer, subject, ended_at, environment);

-- A trigger before each insertion made SQLite copy all the pages that the insertion touched. Each connection of ours has
-- `recursive_triggers`, so that replacing an entry is removing it, which another trigger refuses.
DROP TRIGGER audit_log_is_not_replaced;

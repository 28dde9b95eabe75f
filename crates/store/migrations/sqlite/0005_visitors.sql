-- Visitors who never come back are removed, oldest first.
CREATE INDEX visitors_by_time ON visitors (last_seen_at);

-- Secrets go with their session only, so nothing asks for them by time.
DROP INDEX client_secrets_by_expiry;

-- What a visitor's browser keeps is replaced now and then. The one before works on until the fresh one has come back,
-- and a little longer, for tabs that are under way.
ALTER TABLE visitors ADD COLUMN resume_since  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE visitors ADD COLUMN earlier_digest BLOB;
ALTER TABLE visitors ADD COLUMN earlier_nonce  BLOB;    -- with the earlier one's text, makes the fresh one again
ALTER TABLE visitors ADD COLUMN earlier_until  INTEGER; -- none until the fresh one has come back

CREATE UNIQUE INDEX visitors_by_earlier ON visitors (earlier_digest) WHERE earlier_digest IS NOT NULL;

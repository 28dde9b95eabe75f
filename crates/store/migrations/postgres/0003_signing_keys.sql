-- Keys that all nodes sign with, where their configuration names none. Times are milliseconds since 1970, by the
-- database's clock. A node of a build that does not know the table has a key of its own in a file, as before.
CREATE TABLE signing_keys (
    number         bigint  PRIMARY KEY, -- 1, 2, …: of two nodes that make the same one, one does
    is_sealed      boolean NOT NULL,    -- whether the operator's secret has encrypted the seed
    id             text    COLLATE "C" NOT NULL UNIQUE, -- the `kid`
    seed           bytea   NOT NULL,
    signs_from     bigint  NOT NULL,    -- after all nodes, and whoever reads their key set, know it
    believed_until bigint               -- none for the newest; afterwards the row goes
);

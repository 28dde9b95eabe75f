-- Threads of server keys' projects, for the hosted API: a key sees all threads of its project.
--
-- The project is the owner's issuer, when it is one. Other owners have none, and are not in these indexes.

ALTER TABLE threads ADD COLUMN project TEXT GENERATED ALWAYS AS (
    CASE WHEN owner >= 'key:' AND owner < 'key;' THEN substr(owner, 1, instr(owner, ' ') - 1) END
) VIRTUAL;

CREATE INDEX threads_of_project_by_time ON threads (project, created_at, id) WHERE project IS NOT NULL;
CREATE INDEX threads_of_project_by_id   ON threads (project, id)             WHERE project IS NOT NULL;

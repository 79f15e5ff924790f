/** What jobs have used: a row from the start of each, which outlives it. Immutable once released. */
export const USAGE = `
CREATE TABLE usage (
  job_id       TEXT    NOT NULL PRIMARY KEY,
  list         TEXT    NOT NULL,
  owner        TEXT,
  groups       TEXT    NOT NULL,
  images       TEXT    NOT NULL,
  phase        TEXT    NOT NULL,
  cores        REAL    NOT NULL,
  memory       INTEGER NOT NULL,
  start_time   INTEGER NOT NULL,
  end_time     INTEGER,
  result_bytes INTEGER NOT NULL DEFAULT 0,
  kept_bytes   INTEGER NOT NULL DEFAULT 0,
  -- as far as it was measured, and when that was
  cpu_seconds  REAL,
  measured_at  INTEGER,
  meters       TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_running ON usage (owner) WHERE end_time IS NULL;
CREATE INDEX usage_of ON usage (owner, end_time) WHERE end_time IS NOT NULL;
-- what was run lately, of one owner or of all
CREATE INDEX usage_started ON usage (start_time, owner);
CREATE INDEX usage_ended ON usage (end_time) WHERE end_time IS NOT NULL;
-- what results take at present, for quotas of groups
CREATE INDEX usage_kept ON usage (groups, kept_bytes) WHERE kept_bytes > 0;
`;

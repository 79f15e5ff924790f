/** Jobs, and who works on them. Immutable once released: a later change is a migration of its own. */
export const JOBS = `
CREATE TABLE jobs (
  id                 TEXT    NOT NULL UNIQUE,
  list               TEXT    NOT NULL,
  revision           INTEGER NOT NULL,
  owner              TEXT,
  run_id             TEXT,
  phase              TEXT    NOT NULL,
  quote              INTEGER,
  creation_time      INTEGER NOT NULL,
  start_time         INTEGER,
  end_time           INTEGER,
  execution_duration INTEGER NOT NULL,
  destruction        INTEGER,
  queue_number       INTEGER,
  holder             TEXT,
  start_asked        INTEGER NOT NULL DEFAULT 0,
  deleted            INTEGER NOT NULL DEFAULT 0,
  creation_key       TEXT,
  fingerprint        TEXT,
  body               TEXT    NOT NULL
) STRICT;

-- the list as it is asked for most: one owner's, newest first, without ARCHIVED
CREATE INDEX jobs_newest ON jobs (list, owner, creation_time DESC, id DESC) WHERE deleted = 0 AND phase <> 'ARCHIVED';
-- the list by phase: a page costs what it returns, whatever else is in the list
CREATE INDEX jobs_by_phase ON jobs (list, owner, phase, creation_time DESC, id DESC) WHERE deleted = 0;
CREATE INDEX jobs_active ON jobs (phase, queue_number) WHERE deleted = 0 AND phase IN ('QUEUED', 'EXECUTING');
-- whose turn it is: each owner's queue
CREATE INDEX jobs_in_line ON jobs (owner, queue_number) WHERE deleted = 0 AND phase = 'QUEUED';
-- what an owner has, for quotas
CREATE INDEX jobs_of ON jobs (owner) WHERE deleted = 0 AND phase <> 'ARCHIVED';
CREATE INDEX jobs_due ON jobs (destruction) WHERE deleted = 0;
CREATE INDEX jobs_deleted ON jobs (id) WHERE deleted = 1;

-- one job for each key that a client chose (NULLs would be told apart, so nobody is written as '')
CREATE UNIQUE INDEX jobs_created_with ON jobs (list, COALESCE(owner, ''), creation_key) WHERE deleted = 0 AND creation_key IS NOT NULL;

-- a holder's one heartbeat is its lease on every job that it has claimed; lease: its length in milliseconds
CREATE TABLE holders (
  holder TEXT    NOT NULL PRIMARY KEY,
  until  INTEGER NOT NULL,
  lease  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- facts about the store itself: 'gateway' is the name under which its containers are labelled
CREATE TABLE facts (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO facts VALUES ('gateway', lower(hex(randomblob(6))));
`;

-- Rows of task and done never change. What does is in active and store, which
-- are small: so a commit writes few pages, and pages stay full.

-- The types' names, written once.
CREATE TABLE type(
  type INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- Every task as it was submitted. ord rises with each submit: it is the order
-- of lists and, among equal priorities, of the queue. created is microseconds
-- since 1970; timeout and grace are milliseconds. sum is the checksum of the
-- row; an input of 1 KiB or more has one of its own, inputsum.
CREATE TABLE task(
  ord INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  type INTEGER NOT NULL,
  created INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  rerun INTEGER NOT NULL,
  timeout INTEGER NOT NULL,
  grace INTEGER NOT NULL,
  labels TEXT,
  sum INTEGER NOT NULL,
  inputsum INTEGER,
  input TEXT NOT NULL
) STRICT;
CREATE INDEX task_type ON task(type);

-- The tasks that are not final. started is set while an attempt may be running.
CREATE TABLE active(
  ord INTEGER PRIMARY KEY,
  attempt INTEGER NOT NULL,
  started INTEGER,
  cancelled INTEGER,
  reason TEXT,
  sum INTEGER NOT NULL
) STRICT;

-- How tasks ended. started counts microseconds from created, and finished from
-- started, or from created where there was no attempt. seq is the number of the event, so it rises in the order in which tasks ended. bytes is what
-- retention counts.
CREATE TABLE done(
  ord INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL,
  state INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  started INTEGER,
  finished INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  more TEXT,
  sum INTEGER NOT NULL,
  result TEXT,
  error TEXT
) STRICT;
CREATE INDEX done_seq ON done(seq);
CREATE INDEX done_bad ON done(state) WHERE state > 2;

CREATE TABLE label(
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  ord INTEGER NOT NULL,
  PRIMARY KEY(name, value, ord)
) STRICT, WITHOUT ROWID;

-- Pieces of output, with the offset of their first byte.
CREATE TABLE output(
  ord INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  start INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY(ord, stream, start)
) STRICT, WITHOUT ROWID;

-- Where the clock was set back: from this ord on, created begins anew.
CREATE TABLE clock(ord INTEGER PRIMARY KEY) STRICT;

-- One row. commits counts transactions; seq is a number that no event has
-- reached; gone is of the latest end that retention removed.
CREATE TABLE store(
  one INTEGER PRIMARY KEY,
  commits INTEGER NOT NULL,
  ord INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  gone INTEGER NOT NULL,
  active INTEGER NOT NULL,
  completed INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  created INTEGER NOT NULL,
  sum INTEGER NOT NULL
) STRICT;

-- For people: sqlite3 -readonly FILE 'SELECT * FROM tasks'
CREATE VIEW tasks AS SELECT
  lower(substr(hex(id),1,8)||'-'||substr(hex(id),9,4)||'-'||substr(hex(id),13,4)||'-'||substr(hex(id),17,4)||'-'||substr(hex(id),21)) AS id,
  type.name AS type,
  CASE WHEN done.state IS NULL THEN iif(active.started IS NULL, 'queued', 'running')
    ELSE CASE done.state WHEN 2 THEN 'completed' WHEN 3 THEN 'failed' ELSE 'cancelled' END END AS state,
  priority,
  coalesce(done.attempt, active.attempt) AS attempt,
  strftime('%Y-%m-%dT%H:%M:%fZ', created/1e6, 'unixepoch') AS created,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(created+done.started, active.started)/1e6, 'unixepoch') AS started,
  strftime('%Y-%m-%dT%H:%M:%fZ', (created+coalesce(done.started,0)+finished)/1e6, 'unixepoch') AS finished,
  labels, input, result, error
FROM task JOIN type USING(type) LEFT JOIN done USING(ord) LEFT JOIN active USING(ord);

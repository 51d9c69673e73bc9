-- A row of store other than the first is of 1024 tasks, from number 1024*(one-2) on. open
-- has a bit for each that is not final, the first in the lowest bit of the first byte;
-- behind those, where there are any, a bit for each that has a row in active, which is
-- each that has been started. The counters are 0. Both are in one table so that a commit
-- writes one page for both.
ALTER TABLE store ADD COLUMN open BLOB;

-- In which spans of 16 tasks there are tasks of a type: a span has the tasks from number
-- 16*span on. It is for lists by type.
CREATE TABLE typed(
  type INTEGER NOT NULL,
  span INTEGER NOT NULL,
  PRIMARY KEY(type, span)
) STRICT, WITHOUT ROWID;
INSERT INTO typed SELECT DISTINCT type, ord/16 FROM task;
DROP INDEX task_type;

DROP VIEW tasks;
-- For people: sqlite3 -readonly FILE 'SELECT * FROM tasks'
CREATE VIEW tasks AS SELECT
  lower(substr(hex(id),1,8)||'-'||substr(hex(id),9,4)||'-'||substr(hex(id),13,4)||'-'||substr(hex(id),17,4)||'-'||substr(hex(id),21)) AS id,
  type.name AS type,
  CASE WHEN done.state IS NULL THEN iif(active.started IS NULL, 'queued', 'running')
    ELSE CASE done.state WHEN 2 THEN 'completed' WHEN 3 THEN 'failed' ELSE 'cancelled' END END AS state,
  priority,
  coalesce(done.attempt, active.attempt, 0) AS attempt,
  strftime('%Y-%m-%dT%H:%M:%fZ', created/1e6, 'unixepoch') AS created,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(created+done.started, active.started)/1e6, 'unixepoch') AS started,
  strftime('%Y-%m-%dT%H:%M:%fZ', (created+coalesce(done.started,0)+finished)/1e6, 'unixepoch') AS finished,
  labels, input, result, error
FROM task JOIN type USING(type) LEFT JOIN done USING(ord) LEFT JOIN active USING(ord);

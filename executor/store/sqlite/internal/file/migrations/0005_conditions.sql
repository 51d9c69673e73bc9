-- Rows of task are replaced where a task that waits is changed.

-- What tasks wait for before they may run, as JSON: of the tasks whose rerun is 2 or 3, which
-- is 2 more than it says. A program that does not know this would run such a task at once.
CREATE TABLE condition(
  ord INTEGER PRIMARY KEY,
  conditions TEXT NOT NULL,
  sum INTEGER NOT NULL
) STRICT;

-- The settings of groups, as JSON. The row without a name has those of everything.
CREATE TABLE groups(
  name TEXT PRIMARY KEY,
  settings TEXT NOT NULL,
  sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Schedules, as JSON.
CREATE TABLE schedule(
  name TEXT PRIMARY KEY,
  schedule TEXT NOT NULL,
  sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is kept of the attempts of tasks that others followed, as JSON, and when the next one may
-- begin. A task that waits for that has a row in active without started and cancelled, and with
-- the reason retry.
CREATE TABLE retry(
  ord INTEGER PRIMARY KEY,
  history TEXT NOT NULL,
  sum INTEGER NOT NULL
) STRICT;

-- A row of active without started and cancelled, but with a reason, is of a task that waits
-- and may begin before its start is recorded. The reason is the name of the notes, outside of
-- this file, that tell whether it has begun. A program that does not know this would run
-- such a task twice.

-- In which spans of tasks there are ends of a span of event numbers: seqs has the numbers
-- from 512*seqs on, and ords the 64 tasks from number 64*ords on. Tasks end nearly in the
-- order in which they were submitted, so one row is of many ends. It takes the place of an
-- index, which had an entry for each.
CREATE TABLE ended(
  seqs INTEGER NOT NULL,
  ords INTEGER NOT NULL,
  PRIMARY KEY(seqs, ords)
) STRICT, WITHOUT ROWID;
INSERT INTO ended SELECT DISTINCT seq/512, ord/64 FROM done;
DROP INDEX done_seq;

-- The ids of tasks that are no longer kept, the newest so many, so that none of
-- them runs again. n rises by one with each that is added.
CREATE TABLE gone(
  n INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  sum INTEGER NOT NULL
) STRICT;

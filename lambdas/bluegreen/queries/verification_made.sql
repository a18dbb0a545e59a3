-- Whether the queue of this database is there.
SELECT to_regclass('bluegreen.comparison') IS NOT NULL AS is_made

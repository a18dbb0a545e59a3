-- Whether a table is yet to be divided into chunks; who does it holds its lock.
SELECT EXISTS (SELECT FROM bluegreen.comparison WHERE chunk IS NULL AND done_at IS NULL) AS any_left

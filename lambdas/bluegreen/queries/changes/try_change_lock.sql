-- Whoever runs the changes of a database has this lock for as long as its session lives, also when nobody listens any more.
SELECT pg_try_advisory_lock(hashtextextended('bluegreen.change', 0)) AS is_ours

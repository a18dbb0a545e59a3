-- Who runs the changes of this database, and since when.
SELECT a.pid, to_char(a.query_start, 'HH24:MI:SS') AS since
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('bluegreen.change', 0)

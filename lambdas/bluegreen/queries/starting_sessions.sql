-- Sessions that are still starting: before PostgreSQL 18 they have a virtual transaction, but are not to be seen yet.
SELECT l.virtualtransaction AS session, l.pid FROM pg_locks l
WHERE l.locktype = 'virtualxid' AND l.pid IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid)

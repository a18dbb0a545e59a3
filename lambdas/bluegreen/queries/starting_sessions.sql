-- Sessions that are still starting: they have a virtual transaction, but are not to be seen yet, or, from PostgreSQL 18
-- on, as starting.
SELECT l.virtualtransaction AS session, l.pid FROM pg_locks l
WHERE l.locktype = 'virtualxid' AND l.pid IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid AND a.state IS DISTINCT FROM 'starting')

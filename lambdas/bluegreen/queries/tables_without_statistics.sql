-- Tables that the planner knows nothing of: never analysed, or by nobody since they have rows. Waits for no lock.
-- A partitioned table stays as it is, whatever one does, while there is no table below it, so it does not count.
WITH RECURSIVE parents AS (
    SELECT i.inhparent AS oid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind <> 'p'
    UNION
    SELECT i.inhparent FROM parents p JOIN pg_inherits i ON i.inhrelid = p.oid
)
SELECT n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS is_partitioned
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind IN ('r', 'm') OR c.relkind = 'p' AND c.oid IN (SELECT oid FROM parents))
  AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname NOT IN ('bluegreen', 'information_schema')
  AND (c.reltuples < 0
       OR c.reltuples > 0
       AND NOT EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname))
ORDER BY 1, 2

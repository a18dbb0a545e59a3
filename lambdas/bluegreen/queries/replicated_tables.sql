-- Every replicated table but the release's own, the smallest first, and how many bytes all up to it have together.
SELECT n.nspname AS schema, c.relname AS name,
       coalesce(sum(pg_relation_size(c.oid)) OVER (ORDER BY pg_relation_size(c.oid), c.oid), 0)::bigint AS bytes_so_far
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384 AND n.nspname <> 'bluegreen'
ORDER BY bytes_so_far

-- The tables whose rows replication carries, all or those that a subscription follows, and the tables that these are
-- partitions of.
SELECT DISTINCT n.nspname AS schema, p.relname AS name
FROM pg_class c
JOIN pg_namespace own ON own.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT c.oid UNION SELECT a.relid FROM pg_partition_ancestors(c.oid) a) AS up (oid)
JOIN pg_class p ON p.oid = up.oid
JOIN pg_namespace n ON n.oid = p.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384 AND own.nspname NOT IN ('bluegreen', 'information_schema')
  AND (:subscription::text IS NULL OR EXISTS (
      SELECT FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
      WHERE s.subname = :subscription AND r.srrelid = c.oid))

-- The unique indexes of tables whose rows replication carries: by one of them rows are found and compared.
SELECT n.nspname AS schema, x.relname AS name
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = x.relnamespace
WHERE i.indisunique AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname NOT IN ('bluegreen', 'information_schema')
  AND (:subscription::text IS NULL OR EXISTS (
      SELECT FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
      WHERE s.subname = :subscription AND r.srrelid IN (SELECT t.relid FROM pg_partition_tree(c.oid) t UNION SELECT c.oid)))

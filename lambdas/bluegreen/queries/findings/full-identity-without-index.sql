-- Large tables with replica identity FULL, of which green finds a row only by reading all: no primary key and, from
-- PostgreSQL 16 on, no other index that begins with a column and has all rows (IsIndexUsableForReplicaIdentityFull).
SELECT n.nspname AS schema, c.relname AS name, pg_size_pretty(pg_relation_size(c.oid)) AS size
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384 AND c.relreplident = 'f'
  AND n.nspname NOT IN ('bluegreen', 'information_schema')
  AND pg_relation_size(c.oid) > 1048576
  AND NOT EXISTS (
      SELECT FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am am ON am.oid = ic.relam
      WHERE i.indrelid = c.oid AND i.indisvalid
        AND (i.indisprimary AND i.indimmediate
             OR am.amname = 'btree' AND i.indpred IS NULL AND i.indkey[0] <> 0
                AND current_setting('server_version_num')::int >= 160000))

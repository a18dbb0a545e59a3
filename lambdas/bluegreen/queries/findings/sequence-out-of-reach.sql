-- Sequences that we may not read on blue, or not set on green, which has blue's privileges.
SELECT n.nspname AS schema, c.relname AS name, current_user AS me
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND c.oid >= 16384 AND n.nspname <> 'bluegreen'
  AND NOT (has_sequence_privilege(c.oid, 'SELECT') AND has_sequence_privilege(c.oid, 'UPDATE')
           AND has_schema_privilege(n.oid, 'USAGE'))

-- Columns that may be NULL in a child and not in its parent: 18 has such constraints as inherited ones.
SELECT n.nspname AS schema, c.relname AS name, ca.attname AS column
FROM pg_inherits i
JOIN pg_attribute pa ON pa.attrelid = i.inhparent AND pa.attnum > 0 AND pa.attnotnull AND NOT pa.attisdropped
JOIN pg_attribute ca ON ca.attrelid = i.inhrelid AND ca.attname = pa.attname AND NOT ca.attnotnull
JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE :target >= 18 AND current_setting('server_version_num')::int < 180000
ORDER BY 1, 2, 3

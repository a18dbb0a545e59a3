-- Collations in use whose rules are not those by which indexes were built.
SELECT n.nspname AS schema, c.collname AS name, c.collversion AS then, pg_collation_actual_version(c.oid) AS now
FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE c.collversion <> pg_collation_actual_version(c.oid)
  AND EXISTS (SELECT FROM pg_attribute a WHERE a.attcollation = c.oid AND a.attrelid >= 16384)

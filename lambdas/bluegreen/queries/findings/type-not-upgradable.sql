-- Columns that pg_upgrade refuses: of types whose values name system objects that get other numbers, or of a form that
-- has changed (aclitem in 16), also within domains, arrays, ranges and rows (check.c of PostgreSQL 18).
WITH RECURSIVE refused AS (
    SELECT t.oid FROM pg_type t
    WHERE t.typnamespace = 'pg_catalog'::regnamespace
          AND (t.typname IN ('regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper', 'regoperator', 'regproc', 'regprocedure')
               OR t.typname = 'aclitem' AND current_setting('server_version_num')::int < 160000)
       OR t.typtype = 'c' AND t.oid < 16384
    UNION
    SELECT t.oid FROM refused r JOIN pg_type t
      ON t.typbasetype = r.oid OR t.typelem = r.oid
      OR t.oid IN (SELECT rngtypid FROM pg_range WHERE rngsubtype = r.oid)
      OR t.typtype = 'c' AND t.typrelid IN (SELECT attrelid FROM pg_attribute WHERE atttypid = r.oid AND NOT attisdropped)
)
SELECT n.nspname AS schema, c.relname AS name, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE :target > current_setting('server_version_num')::int / 10000
  AND a.atttypid IN (SELECT oid FROM refused) AND NOT a.attisdropped AND c.relkind IN ('r', 'm')
  AND n.nspname !~ '^pg_(toast_)?temp_' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1, 2, 3

-- Columns that pg_upgrade refuses: of types whose values name system objects that get other numbers, or of a form that
-- has changed (aclitem in 16), also within domains, arrays, ranges and rows (check.c of PostgreSQL 18).
WITH RECURSIVE part AS MATERIALIZED (
    SELECT typbasetype AS of, oid AS within FROM pg_type WHERE typbasetype <> 0
    UNION ALL SELECT typelem, oid FROM pg_type WHERE typelem <> 0
    UNION ALL SELECT rngsubtype, rngtypid FROM pg_range
    UNION ALL SELECT a.atttypid, c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
              WHERE c.oid >= 16384 AND c.reltype <> 0 AND a.attnum > 0 AND NOT a.attisdropped
),
refused AS (
    SELECT t.oid FROM pg_type t
    WHERE t.typnamespace = 'pg_catalog'::regnamespace
          AND (t.typname IN ('regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper', 'regoperator', 'regproc', 'regprocedure')
               OR t.typname = 'aclitem' AND current_setting('server_version_num')::int < 160000)
       OR t.typtype = 'c' AND t.oid < 16384
    UNION
    SELECT part.within FROM refused JOIN part ON part.of = refused.oid
)
SELECT n.nspname AS schema, c.relname AS name, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type
FROM refused JOIN pg_attribute a ON a.atttypid = refused.oid
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE :target > current_setting('server_version_num')::int / 10000
  AND NOT a.attisdropped AND c.relkind IN ('r', 'm') AND c.oid >= 16384
  AND n.nspname !~ '^pg_(toast_)?temp_'
ORDER BY 1, 2, 3

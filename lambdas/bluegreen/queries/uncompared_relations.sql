-- What holds rows and is not compared, and why: it is not replicated, or its rows are others'.
SELECT n.nspname AS schema, c.relname AS name,
       CASE WHEN c.relkind = 'm' THEN 'a materialized view'
            WHEN c.relkind = 'f' THEN 'a foreign table'
            ELSE 'unlogged' END AS reason
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind IN ('m', 'f') OR c.relkind = 'r' AND c.relpersistence = 'u')
  AND c.oid >= 16384 AND n.nspname NOT IN ('bluegreen', 'information_schema', 'pg_catalog')
ORDER BY 1, 2

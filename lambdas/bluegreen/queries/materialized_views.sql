-- Materialized views that hold rows, each after those that it reads, be it by way of views.
WITH RECURSIVE reads AS (
    SELECT r.ev_class AS reader, d.refobjid AS read
    FROM pg_rewrite r
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('v', 'm')
), places AS (
    SELECT oid, 0 AS place FROM pg_class WHERE relkind IN ('v', 'm') AND oid >= 16384
    UNION
    SELECT r.reader, p.place + 1 FROM places p JOIN reads r ON r.read = p.oid
)
SELECT n.nspname AS schema, c.relname AS name
FROM places p JOIN pg_class c ON c.oid = p.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated
GROUP BY 1, 2 ORDER BY max(p.place), 1, 2

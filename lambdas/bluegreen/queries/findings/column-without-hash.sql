-- Columns of types that hash indexes do not know, directly or as a type that is stored alike; by the type of elements,
-- and not into composite types.
SELECT n.nspname AS schema, c.relname AS name, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
CROSS JOIN LATERAL (SELECT coalesce(nullif(t.typbasetype, 0), t.oid) AS oid) d
JOIN pg_type b ON b.oid = d.oid
CROSS JOIN LATERAL (SELECT CASE WHEN b.typcategory = 'A' THEN b.typelem ELSE b.oid END AS oid) s
JOIN pg_type e ON e.oid = s.oid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname NOT IN ('bluegreen', 'information_schema')
  AND e.typtype = 'b'
  AND NOT EXISTS (
      SELECT FROM pg_opclass o JOIN pg_am am ON am.oid = o.opcmethod
      WHERE am.amname = 'hash' AND o.opcdefault
        AND (o.opcintype = e.oid
             OR EXISTS (
                 SELECT FROM pg_cast k
                 WHERE k.castsource = e.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b')))

-- Views that read system views, whose columns differ by version: pg_upgrade makes them anew from their definitions.
SELECT n.nspname AS schema, v.relname AS name, string_agg(DISTINCT s.relname, ', ' ORDER BY s.relname) AS reads,
       CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS kind
FROM pg_depend d
JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
JOIN pg_class v ON v.oid = r.ev_class JOIN pg_namespace n ON n.oid = v.relnamespace
JOIN pg_class s ON d.refclassid = 'pg_class'::regclass AND s.oid = d.refobjid
WHERE :target > current_setting('server_version_num')::int / 10000 AND s.oid < 16384 AND v.oid >= 16384
  AND v.relkind IN ('v', 'm')
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = v.oid AND e.deptype = 'e')
GROUP BY 1, 2, 4 ORDER BY 1, 2

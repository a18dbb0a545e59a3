-- Owners of tables in whose name green could not apply changes: the subscription's owner acts as them from 16 on, and
-- with its own rights before. What AWS itself owns, such as spatial_ref_sys of PostGIS, is hardly ever written.
SELECT o.rolname AS owner, count(*) AS tables, current_user AS me
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles o ON o.oid = c.relowner
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname NOT IN ('bluegreen', 'information_schema')
  AND o.rolname <> ALL (:aws_roles::text[])
  AND NOT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(o.oid, 'SET')
               ELSE has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
                    AND has_table_privilege(c.oid, 'DELETE') AND has_table_privilege(c.oid, 'TRUNCATE') END
GROUP BY o.rolname

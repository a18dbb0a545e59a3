-- Of these roles, those that have the right to connect to a database; superusers always have it.
SELECT rolname AS name FROM pg_roles r
WHERE rolcanlogin AND rolname <> current_user AND rolname <> ALL (:spared::text[])
  AND EXISTS (
      SELECT FROM pg_database d
      WHERE d.datallowconn AND d.datname <> 'rdsadmin' AND has_database_privilege(r.oid, d.oid, 'CONNECT'))
ORDER BY 1

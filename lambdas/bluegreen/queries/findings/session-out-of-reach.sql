-- Sessions of clients on this server that the release's role has no right to end, and why (pg_terminate_backend).
SELECT s.pid, r.rolname AS role, coalesce(s.datname, '?') AS database,
       CASE WHEN r.rolsuper THEN 'a superuser''s' ELSE 'not of a role that we are a member of' END AS reason
FROM pg_stat_activity s
JOIN pg_roles r ON r.oid = s.usesysid
JOIN pg_roles me ON me.rolname = current_user
WHERE s.backend_type = 'client backend' AND s.pid <> pg_backend_pid()
  AND r.rolname <> me.rolname AND r.rolname <> ALL (:aws_roles::text[])
  AND NOT CASE WHEN r.rolsuper THEN me.rolsuper
               ELSE pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE') END
ORDER BY 1

-- Roles of the customer that could give back what the freeze takes.
SELECT r.rolname AS name, concat_ws(', ',
           CASE WHEN r.rolsuper THEN 'superuser' END,
           CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
           CASE WHEN m.is_member THEN 'rds_superuser' END) AS powers
FROM pg_roles r
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid
        WHERE a.member = r.oid AND g.rolname = 'rds_superuser') AS is_member
) m
WHERE r.rolcanlogin AND (r.rolsuper OR r.rolcreaterole OR m.is_member)
  AND r.rolname <> current_user AND r.rolname <> ALL (:aws_roles::text[])

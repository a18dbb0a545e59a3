-- One row when a role may read all tables of blue, as it has to while a table is copied.
SELECT 1 AS one FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
WHERE r.rolname = :role AND m.roleid = 'pg_read_all_data'::regrole

-- The search path that a session on this database begins with, unless a role of its own has another one.
SELECT coalesce(
    (SELECT split_part(t, '=', 2) FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) t
     WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND t LIKE 'search_path=%'),
    '"$user", public') AS search_path

-- Roles that a client could log in with: all but the release's own and those that are spared.
SELECT rolname AS name FROM pg_roles
WHERE rolcanlogin AND rolname <> current_user AND rolname <> ALL (:spared::text[])
ORDER BY 1

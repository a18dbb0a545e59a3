-- Databases that pg_upgrade cannot look into: closed to connections, or the rest of a DROP DATABASE that failed.
SELECT datname AS name, CASE WHEN datallowconn THEN format('DROP DATABASE %I;', datname) END AS fix
FROM pg_database
WHERE :target > current_setting('server_version_num')::int / 10000
  AND (NOT datallowconn AND datname NOT IN ('template0', 'rdsadmin') OR datconnlimit = -2)
ORDER BY 1

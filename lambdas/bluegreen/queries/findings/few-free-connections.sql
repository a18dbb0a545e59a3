-- Limits that leave a release too few sessions on blue: those of the server, of its role, and of each database.
-- Sessions of our role are those of functions of ours that are warm still, and are counted among the needed.
SELECT l.*, max - free + needed AS wanted
FROM (
    SELECT 'max_connections' AS setting, max, max - coalesce(reserved, 0) - used AS free,
           :sessions::int * cardinality(:databases::text[]) AS needed, NULL AS fix
    FROM (SELECT current_setting('max_connections')::int AS max,
                 current_setting('superuser_reserved_connections')::int
                     + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
                 (SELECT count(*) FROM pg_stat_activity
                  WHERE backend_type = 'client backend' AND usename IS DISTINCT FROM current_user)::int AS used) c
    UNION ALL
    SELECT format('the limit of role %s', rolname), rolconnlimit, rolconnlimit,
           :sessions::int * cardinality(:databases::text[]),
           format('ALTER ROLE %I CONNECTION LIMIT -1;', rolname)
    FROM pg_roles WHERE rolname = current_user AND rolconnlimit >= 0 AND NOT rolsuper
    UNION ALL
    SELECT format('the limit of database %s', d.datname), d.datconnlimit,
           d.datconnlimit - (SELECT count(*) FROM pg_stat_activity a
                             WHERE a.datid = d.oid AND a.backend_type = 'client backend'
                               AND a.usename IS DISTINCT FROM current_user)::int,
           :sessions::int, format('ALTER DATABASE %I CONNECTION LIMIT -1;', d.datname)
    FROM pg_database d, pg_roles r
    WHERE d.datname = ANY (:databases::text[]) AND d.datconnlimit >= 0 AND r.rolname = current_user AND NOT r.rolsuper
) l
WHERE free < needed

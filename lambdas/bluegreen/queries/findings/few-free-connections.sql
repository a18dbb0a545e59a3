-- A release keeps about this many sessions on blue: one for each of its functions and databases, and green's.
SELECT max, free, :sessions::int AS needed, max - free + :sessions::int AS wanted
FROM (
    SELECT current_setting('max_connections')::int AS max,
           current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
               - (SELECT count(*) FROM pg_stat_activity
                  WHERE backend_type = 'client backend' AND usename IS DISTINCT FROM current_user)::int AS free
) c
WHERE free < :sessions::int

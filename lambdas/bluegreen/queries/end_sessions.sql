-- Ends every client session but the release's own and those of AWS; a cancel would leave a session able to commit.
SELECT pid, coalesce(usename, '?') AS role, coalesce(datname, '?') AS database,
       coalesce(application_name, '') AS application, coalesce(host(client_addr), 'local') AS client,
       pg_terminate_backend(pid) AS signalled
FROM pg_stat_activity
WHERE backend_type = 'client backend'
  AND pid <> pg_backend_pid()
  AND usename IS DISTINCT FROM current_user
  AND coalesce(usename, '') NOT IN ('rdsadmin', 'rdsrepladmin', 'rdsproxyadmin', 'rdstopmgr', 'rds_ad')

-- Roles that a client could log in with: all but the release's own, its replication's, and those of AWS.
SELECT rolname AS name FROM pg_roles
WHERE rolcanlogin
  AND rolname <> current_user
  AND rolname <> :replication_role
  AND rolname NOT IN ('rdsadmin', 'rdsrepladmin', 'rdsproxyadmin', 'rdstopmgr', 'rds_ad')
ORDER BY 1

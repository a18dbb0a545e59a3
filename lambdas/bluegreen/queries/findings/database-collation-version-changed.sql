SELECT datname AS name, datcollversion AS then, pg_database_collation_actual_version(oid) AS now
FROM pg_database
WHERE datname = current_database() AND datcollversion <> pg_database_collation_actual_version(oid)

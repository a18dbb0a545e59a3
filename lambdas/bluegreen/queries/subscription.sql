-- The release's subscription in this database, and how far its origin got.
SELECT s.subenabled AS enabled, 'pg_' || s.oid AS origin,
       pg_replication_origin_progress('pg_' || s.oid, false)::text AS progress
FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
WHERE s.subname = :name AND d.datname = current_database()

-- The release's publication in this database with the stamp that proves a clone was taken after it.
SELECT obj_description(oid, 'pg_publication') AS stamp
FROM pg_publication WHERE pubname = :name

-- A schema of our name that this release did not make.
SELECT nspname AS name FROM pg_namespace
WHERE nspname = 'bluegreen' AND coalesce(obj_description(oid, 'pg_namespace'), '') <> :release

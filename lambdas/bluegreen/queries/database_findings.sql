-- Features of this database that the release does not carry over, and that would write to green on their own.
SELECT (SELECT count(*) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
        WHERE d.datname = current_database())::int AS subscriptions,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') AS has_pg_cron,
       (SELECT count(*) FROM pg_largeobject_metadata)::int AS large_objects,
       (SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u' AND oid >= 16384)::int AS unlogged_tables

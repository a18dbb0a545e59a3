-- Whether pg_prewarm could be installed in this database, and the schema of the one that is.
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_prewarm') AS is_available,
       (SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_prewarm') AS quoted_schema

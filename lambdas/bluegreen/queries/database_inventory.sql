-- What a release of this database will move, in numbers.
SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384
          AND n.nspname NOT IN ('bluegreen', 'information_schema'))::int AS tables,
       (SELECT count(*) FROM pg_class c
        WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND c.oid >= 16384)::int AS sequences,
       pg_database_size(current_database())::bigint AS size_bytes

-- Features of this database that the release does not carry over, and that would write to green on their own.
SELECT (SELECT count(*) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
        WHERE d.datname = current_database())::int AS subscriptions,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') AS has_pg_cron,
       (SELECT count(*) FROM pg_largeobject_metadata)::int AS large_objects,
       (SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u' AND oid >= 16384)::int AS unlogged_tables,
       ARRAY(SELECT t.tgrelid::regclass || ' (trigger ' || quote_ident(t.tgname) || ')'
             FROM pg_trigger t WHERE NOT t.tgisinternal AND t.tgenabled IN ('A', 'R')
             UNION ALL
             SELECT r.ev_class::regclass || ' (rule ' || quote_ident(r.rulename) || ')'
             FROM pg_rewrite r WHERE r.rulename <> '_RETURN' AND r.ev_enabled IN ('A', 'R')
             ORDER BY 1) AS fires_on_green,
       (SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace WHERE nspname = 'bluegreen')
           AS schema_made_by

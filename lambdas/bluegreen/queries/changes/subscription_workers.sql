-- How many processes apply what the subscription of this database brings; other databases have one of the same name.
SELECT count(*)::int AS workers
FROM pg_stat_subscription a
JOIN pg_subscription s ON s.oid = a.subid
JOIN pg_database d ON d.oid = s.subdbid
WHERE s.subname = :name AND d.datname = current_database() AND a.pid IS NOT NULL

-- The tables that the subscription of this database follows, but the release's own.
SELECT n.nspname AS schema, c.relname AS name
FROM pg_subscription_rel r
JOIN pg_subscription s ON s.oid = r.srsubid
JOIN pg_class c ON c.oid = r.srrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_database d ON d.oid = s.subdbid
WHERE s.subname = :name AND d.datname = current_database() AND r.srsubstate = 'r' AND n.nspname <> 'bluegreen'
ORDER BY 1, 2

-- The tables that the subscription of this database follows, or copies before it does.
SELECT n.nspname AS schema, c.relname AS name, r.srsubstate = 'r' AS is_ready
FROM pg_subscription_rel r
JOIN pg_subscription s ON s.oid = r.srsubid
JOIN pg_class c ON c.oid = r.srrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_database d ON d.oid = s.subdbid
WHERE s.subname = :name AND d.datname = current_database()
ORDER BY 1, 2

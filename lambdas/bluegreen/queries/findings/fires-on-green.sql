-- Triggers and rules that fire also when replication applies a change.
SELECT n.nspname AS schema, c.relname AS name, 'TRIGGER' AS kind, t.tgname AS what
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND t.tgenabled IN ('A', 'R')
UNION ALL
SELECT n.nspname, c.relname, 'RULE', r.rulename
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND r.ev_enabled IN ('A', 'R')

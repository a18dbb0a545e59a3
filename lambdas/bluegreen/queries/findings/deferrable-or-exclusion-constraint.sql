SELECT n.nspname AS schema, c.relname AS name, o.conname AS constraint
FROM pg_constraint o
JOIN pg_class c ON c.oid = o.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (o.contype = 'x' OR o.condeferrable) AND o.conparentid = 0 AND c.relkind IN ('r', 'p') AND c.oid >= 16384

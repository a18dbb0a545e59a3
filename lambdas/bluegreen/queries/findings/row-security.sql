-- Tables whose policies would hide rows from us: our sessions fail on them instead.
SELECT n.nspname AS schema, c.relname AS name, r.rolname AS me
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.rolname = current_user
WHERE c.relrowsecurity AND c.relkind IN ('r', 'p') AND c.oid >= 16384 AND NOT r.rolsuper AND NOT r.rolbypassrls
  AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE'))

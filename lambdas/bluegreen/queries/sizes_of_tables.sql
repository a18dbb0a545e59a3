-- These tables, the smallest first, and how many bytes all up to each have together.
SELECT n.nspname AS schema, c.relname AS name,
       sum(pg_relation_size(c.oid)) OVER (ORDER BY pg_relation_size(c.oid), c.oid)::bigint AS bytes_so_far
FROM unnest(:schemas::text[], :names::text[]) AS wanted (schema, name)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
ORDER BY bytes_so_far

-- An index of a table by its name, and whether it is fit for use.
SELECT format('%I.%I', n.nspname, c.relname) AS name, i.indisvalid AS is_valid
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = :index AND i.indrelid = to_regclass(:relation)

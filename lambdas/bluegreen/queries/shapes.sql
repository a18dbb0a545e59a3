-- Of every table a hash of what its rows are read with: a table that was made anew, rewritten, or given other columns may
-- hold something else without a word of it in what decoding tells.
SELECT coalesce(json_agg(json_build_array(n.nspname, c.relname, hashtextextended(
           concat_ws(' ', c.oid, c.relfilenode, columns.columns), 0))), '[]') AS shapes
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT string_agg(concat_ws(' ', a.attnum, quote_ident(a.attname), a.atttypid, a.atttypmod, a.attmissingval::text), ', '
                      ORDER BY a.attnum) AS columns
    FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) columns
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname NOT IN ('bluegreen', 'information_schema', 'pg_catalog')

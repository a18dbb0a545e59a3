-- Published tables whose UPDATE and DELETE would fail; with an index that can be their identity where there is one.
SELECT n.nspname AS schema, c.relname AS name,
       coalesce('USING INDEX ' || quote_ident(u.relname), 'FULL') AS identity
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT ic.relname
    FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
      AND i.indexprs IS NULL
      AND NOT EXISTS (
          SELECT FROM generate_series(0, i.indnkeyatts - 1) k
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k]
          WHERE NOT a.attnotnull OR a.attgenerated <> '')
    ORDER BY i.indisprimary DESC, i.indnkeyatts, ic.relname LIMIT 1
) u ON true
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname NOT IN ('bluegreen', 'information_schema')
  AND c.relreplident <> 'f'
  AND NOT EXISTS (
      SELECT FROM pg_index i
      WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND i.indisunique
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END)

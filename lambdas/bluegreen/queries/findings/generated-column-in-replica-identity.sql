-- Generated columns that replication would have to find rows by, but does not carry; from 18 on FULL is all of them.
SELECT n.nspname AS schema, c.relname AS name, a.attname AS column
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname NOT IN ('bluegreen', 'information_schema')
  AND CASE c.relreplident
      WHEN 'f' THEN current_setting('server_version_num')::int >= 180000
      WHEN 'n' THEN false
      ELSE EXISTS (
          SELECT FROM pg_index i
          WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey::int2[])
            AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END)
      END

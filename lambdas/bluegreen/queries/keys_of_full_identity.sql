-- Tables whose changes name the full row, and the columns of a unique index that would have sufficed.
SELECT n.nspname AS schema, c.relname AS name, key.key
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY k.place) AS key
    FROM (
        SELECT i.* FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate
    ) i
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE k.place <= i.indnkeyatts
) key
WHERE c.relkind = 'r' AND c.relreplident = 'f' AND c.oid >= 16384 AND key.key IS NOT NULL

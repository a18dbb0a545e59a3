-- Tables partitioned by ranges of one date or time, whose last range ends soon; long ago nobody adds any more.
SELECT n.nspname AS schema, c.relname AS name, b.ends::date::text AS ends
FROM pg_partitioned_table t
JOIN pg_class c ON c.oid = t.partrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = t.partattrs[0]
CROSS JOIN LATERAL (
    SELECT max(CASE WHEN a.atttypid IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
                    THEN substring(pg_get_expr(p.relpartbound, p.oid) FROM ' TO \(''(\d{4}-[^'']*)''\)$')::timestamptz
               END) AS ends
    FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid WHERE i.inhparent = c.oid
) b
WHERE t.partstrat = 'r' AND t.partnatts = 1 AND b.ends BETWEEN now() AND now() + interval '14 days'

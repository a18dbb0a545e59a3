-- How often blocks of each table, its toast, the index of that, and each other index were asked for on this server.
SELECT schema, name, part, accesses
FROM (SELECT schemaname, relname, 'itself', heap_blks_read + heap_blks_hit FROM pg_statio_user_tables
      UNION ALL
      SELECT schemaname, relname, 'toast', toast_blks_read + toast_blks_hit FROM pg_statio_user_tables
      UNION ALL
      SELECT schemaname, relname, 'toast index', tidx_blks_read + tidx_blks_hit FROM pg_statio_user_tables
      UNION ALL
      SELECT schemaname, indexrelname, 'itself', idx_blks_read + idx_blks_hit FROM pg_statio_user_indexes)
    AS heat (schema, name, part, accesses)
WHERE accesses > 0

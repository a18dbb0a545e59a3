-- The relations of this server that have these names, with the blocks they take here. Toast is found by the table that
-- it belongs to. Asking for a size waits for whoever has locked the relation, so of a locked one the estimate must do.
WITH locked AS MATERIALIZED (
    SELECT l.relation AS oid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.mode = 'AccessExclusiveLock'
)
SELECT t.oid::bigint AS oid, tn.nspname AS schema, t.relname AS name, t.relkind::text AS kind, h.accesses,
       CASE WHEN t.oid IN (SELECT oid FROM locked) THEN t.relpages
            ELSE pg_relation_size(t.oid) / current_setting('block_size')::bigint END AS blocks
FROM unnest(:schema::text[], :name::text[], :part::text[], :accesses::bigint[]) AS h (schema, name, part, accesses)
JOIN pg_namespace n ON n.nspname = h.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = h.name
LEFT JOIN pg_index i ON i.indrelid = c.reltoastrelid AND h.part = 'toast index'
JOIN pg_class t ON t.oid = CASE h.part WHEN 'itself' THEN c.oid WHEN 'toast' THEN c.reltoastrelid ELSE i.indexrelid END
JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE t.relkind IN ('r', 'm', 't', 'i') AND n.nspname <> 'bluegreen'

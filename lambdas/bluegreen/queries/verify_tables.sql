-- Every table whose rows are data of the application: partitioned ones as a whole, none of the release or an extension.
-- The key is the best unique index of plain NOT NULL columns; domains are resolved to what they are made of.
WITH RECURSIVE resolved (type, base, typmod) AS (
    SELECT oid, typbasetype, typtypmod FROM pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT r.type, t.typbasetype, t.typtypmod
    FROM resolved r JOIN pg_type t ON t.oid = r.base AND t.typtype = 'd'
), domains AS (
    SELECT r.* FROM resolved r JOIN pg_type t ON t.oid = r.base AND t.typtype <> 'd'
), attributes AS (
    SELECT a.*, NOT a.attnotnull OR EXISTS (  -- PostgreSQL 18 knows NOT NULL that old rows break
               SELECT FROM pg_constraint k
               WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated AND a.attnum = ANY (k.conkey)
           ) AS is_nullable
    FROM pg_attribute a
    WHERE a.attnum > 0 AND NOT a.attisdropped
)
SELECT n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS is_partitioned, size.row_estimate, size.bytes,
       shape.columns, coalesce(key.key, '[]') AS key
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT coalesce(sum(CASE WHEN leaf.relpages > 0 AND leaf.reltuples >= 0
               THEN leaf.reltuples / leaf.relpages * pages ELSE pages * 80 END), 0)::bigint AS row_estimate,
           coalesce(sum(pg_table_size(leaf.oid)), 0)::bigint AS bytes
    FROM (SELECT c.oid AS relid UNION SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf) tree
    JOIN pg_class leaf ON leaf.oid = tree.relid AND leaf.relkind = 'r',
    LATERAL (SELECT pg_relation_size(leaf.oid) / current_setting('block_size')::int AS pages) measured
) size
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object(
               'name', a.attname,
               'type', format_type(base.oid, coalesce(d.typmod, a.atttypmod)),
               'native', CASE base.typnamespace WHEN 'pg_catalog'::regnamespace THEN base.typname END,
               'has_typmod', coalesce(d.typmod, a.atttypmod) >= 0,
               'is_domain', d.type IS NOT NULL,
               'is_nullable', a.is_nullable,
               'generated', a.attgenerated,
               'output', format('%I.%I', outn.nspname, out.proname)
           ) ORDER BY a.attnum), '[]') AS columns
    FROM attributes a
    LEFT JOIN domains d ON d.type = a.atttypid
    JOIN pg_type base ON base.oid = coalesce(d.base, a.atttypid)
    JOIN pg_proc out ON out.oid = base.typoutput
    JOIN pg_namespace outn ON outn.oid = out.pronamespace
    WHERE a.attrelid = c.oid
) shape
LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object('name', a.attname, 'operators', opn.nspname) ORDER BY k.place) AS key
    FROM (
        SELECT i.* FROM pg_index i
        JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am am ON am.oid = ic.relam
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
          AND i.indpred IS NULL AND i.indexprs IS NULL AND am.amname = 'btree'
          AND NOT EXISTS (
              SELECT FROM attributes a
              WHERE a.attrelid = c.oid AND a.is_nullable
                AND a.attnum IN (SELECT attnum FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS part (attnum, place)
                                   WHERE place <= i.indnkeyatts))
        ORDER BY i.indisreplident DESC, i.indisprimary DESC, i.indnkeyatts, i.indexrelid
        LIMIT 1
    ) i
    CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS k (attnum, opclass, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    JOIN pg_opclass oc ON oc.oid = k.opclass
    JOIN pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3
        AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
    JOIN pg_operator op ON op.oid = ao.amopopr
    JOIN pg_namespace opn ON opn.oid = op.oprnamespace
    WHERE k.place <= i.indnkeyatts
) key ON true
WHERE c.relpersistence = 'p' AND c.oid >= 16384
  AND CASE WHEN :by_partition::boolean THEN c.relkind = 'r' ELSE c.relkind IN ('r', 'p') AND NOT c.relispartition END
  AND n.nspname NOT IN ('bluegreen', 'information_schema', 'pg_catalog')
  AND NOT EXISTS (
      SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        AND d.refclassid = 'pg_extension'::regclass AND NOT c.oid = ANY (coalesce(e.extconfig, '{}')))
  AND (:names::jsonb IS NULL OR jsonb_build_array(n.nspname, c.relname) IN (SELECT jsonb_array_elements(:names::jsonb)))
ORDER BY 1, 2

-- What the rows that were there when a column was added hold in it: nothing, or one value that is kept beside the table.
-- Else the table was written anew, or the default came later, and only the rows know.
SELECT CASE WHEN a.atthasmissing
            THEN quote_literal((a.attmissingval::text::text[])[1]) || '::' || format_type(a.atttypid, a.atttypmod) END AS value,
       NOT c.relispartition AND c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent))
       AND a.attidentity = ''
       AND (a.attgenerated <> '' OR a.atthasmissing OR NOT a.atthasdef AND t.typdefault IS NULL AND NOT a.attnotnull) AS is_known
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
WHERE c.oid = to_regclass(:relation) AND quote_ident(a.attname) = :column AND NOT a.attisdropped

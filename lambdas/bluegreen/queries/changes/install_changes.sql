-- What runs the release's changes on green, and proves before each commit that replication and the comparison go on.

-- What the tables that a subscription follows are to blue's rows, as facts: those that must stay as they are (stays), and
-- those of which no new one may come. Objects are told by oid and number, so that a new name is a changed fact.
CREATE OR REPLACE FUNCTION bluegreen.facts(subscription text)
RETURNS TABLE (stays boolean, kind text, object text, label text, fact text)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $function$  -- names in definitions depend on it
WITH follows AS MATERIALIZED (
    SELECT c.*, n.nspname || '.' || c.relname AS label
    FROM pg_catalog.pg_subscription s
    JOIN pg_catalog.pg_subscription_rel r ON r.srsubid = s.oid
    JOIN pg_catalog.pg_class c ON c.oid = r.srrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE s.subname = $1 AND n.nspname <> 'bluegreen'
),
attribute AS MATERIALIZED (
    SELECT a.*, f.label || '.' || a.attname AS label, a.attrelid || ' ' || a.attnum AS object
    FROM follows f JOIN pg_catalog.pg_attribute a ON a.attrelid = f.oid AND a.attnum > 0 AND NOT a.attisdropped
)
SELECT true, 'table', f.oid::text, f.label, f.label FROM follows f
UNION ALL
SELECT true, 'kind of storage', f.oid::text, f.label,
       concat_ws(' ', f.relkind, f.relpersistence, pg_catalog.pg_get_expr(f.relpartbound, f.oid)) FROM follows f
UNION ALL
-- Emptied by a function; a table that a rewrite moves keeps its rows.
SELECT true, 'rows', f.oid::text, f.label, 'some' FROM follows f WHERE pg_catalog.pg_relation_size(f.oid) > 0
UNION ALL
SELECT true, 'replica identity', f.oid::text, f.label,
       f.relreplident::text || coalesce((SELECT pg_catalog.string_agg(i.indkey::text, ';' ORDER BY i.indkey::text) FROM pg_catalog.pg_index i
           WHERE i.indrelid = f.oid AND CASE f.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END), '')
FROM follows f
UNION ALL
SELECT true, 'column', a.object, a.label, a.attname FROM attribute a
UNION ALL
SELECT true, 'type of column', a.object, a.label, a.atttypid || ' ' || a.atttypmod || ' ' || a.attcollation FROM attribute a
UNION ALL
SELECT true, 'GENERATED of column', a.object, a.label, coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '-')
FROM attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated <> ''
UNION ALL
SELECT true, 'value of type', e.oid::text, e.enumtypid::regtype || ' ' || e.enumlabel, e.enumlabel
FROM pg_catalog.pg_enum e
WHERE e.enumtypid IN (SELECT pg_catalog.unnest(ARRAY[t.oid, t.typelem, t.typbasetype]) FROM attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid)
UNION ALL
SELECT true, 'sequence of column', q.oid::text, a.label, q.relnamespace::regnamespace || '.' || q.relname
FROM attribute a
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
JOIN pg_catalog.pg_class q ON d.classid = 'pg_class'::regclass AND q.oid = d.objid AND q.relkind = 'S'
UNION ALL
SELECT false, 'NOT NULL', a.object, a.label,
       CASE WHEN a.atthasdef OR a.attidentity <> '' THEN 'filled' ELSE 'not filled' END
FROM attribute a WHERE a.attnotnull
UNION ALL
SELECT false, 'NOT NULL', t.oid::text, 'domain ' || t.oid::regtype, 'not filled'
FROM pg_catalog.pg_type t WHERE t.typnotnull AND t.oid IN (SELECT a.atttypid FROM attribute a)
UNION ALL
-- The columns of a CHECK, and the definition.
SELECT false, 'constraint', k.oid::text, f.label || ' ' || k.conname,
       coalesce((SELECT pg_catalog.string_agg(f.oid || ' ' || n, ',') FROM pg_catalog.unnest(k.conkey) n WHERE k.contype = 'c'), '')
       || '|' || pg_catalog.pg_get_constraintdef(k.oid)
FROM follows f JOIN pg_catalog.pg_constraint k ON f.oid IN (k.conrelid, k.confrelid) WHERE k.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT false, 'constraint', k.oid::text, k.conname, '|' || pg_catalog.pg_get_constraintdef(k.oid)
FROM pg_catalog.pg_constraint k WHERE k.contypid IN (SELECT a.atttypid FROM attribute a)
UNION ALL
SELECT false, 'unique index', i.indexrelid::text, f.label || ' ' || i.indexrelid::regclass, pg_catalog.pg_get_indexdef(i.indexrelid)
FROM follows f JOIN pg_catalog.pg_index i ON i.indrelid = f.oid WHERE i.indisunique
UNION ALL
SELECT false, 'trigger that fires for blue''s rows', t.oid::text, f.label || ' ' || t.tgname, ''
FROM follows f JOIN pg_catalog.pg_trigger t ON t.tgrelid = f.oid WHERE t.tgenabled IN ('A', 'R')
UNION ALL
SELECT false, 'row security', f.oid || ' ' || kind, f.label || ' ' || kind, ''
FROM follows f CROSS JOIN LATERAL pg_catalog.unnest(ARRAY[CASE WHEN f.relrowsecurity THEN 'ENABLE' END, CASE WHEN f.relforcerowsecurity THEN 'FORCE' END]) kind
WHERE kind IS NOT NULL
UNION ALL
-- Counted by this session so far, also in what it rolled back: so the count is part of the fact.
SELECT false, 'written row', concat_ws(' ', t.relid, t.n_tup_ins, t.n_tup_upd, t.n_tup_del), f.label, ''
FROM follows f JOIN pg_catalog.pg_stat_xact_user_tables t ON t.relid = f.oid
WHERE t.n_tup_ins + t.n_tup_upd + t.n_tup_del > 0
UNION ALL
SELECT true, 'role', r.oid::text, r.rolname, r.rolname FROM pg_catalog.pg_roles r
UNION ALL
SELECT false, 'LOGIN', r.oid::text, r.rolname, '' FROM pg_catalog.pg_roles r WHERE r.rolcanlogin
UNION ALL
SELECT false, 'CONNECT', d.datname || ' ' || g.grantee, 'database ' || d.datname, ''
FROM pg_catalog.pg_database d CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) g
WHERE g.privilege_type = 'CONNECT'
UNION ALL
SELECT true, 'subscription', s.oid::text, s.subname,
       concat_ws(' ', s.subname, s.subenabled, s.subslotname, s.subpublications)
FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()
UNION ALL
SELECT true, 'object of the release', c.oid::text, 'bluegreen.' || c.relname, c.relname
FROM pg_catalog.pg_class c WHERE c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'bluegreen')
UNION ALL
SELECT false, 'row of the release', concat_ws(' ', t.relid, t.n_tup_ins, t.n_tup_upd, t.n_tup_del), 'bluegreen.' || t.relname, ''
FROM pg_catalog.pg_stat_xact_user_tables t
WHERE t.schemaname = 'bluegreen' AND t.relname <> 'change' AND t.n_tup_ins + t.n_tup_upd + t.n_tup_del > 0
$function$;

-- Whether every value of one type is written as the same text when it has become another one; each is oid, modifier and
-- collation.
CREATE OR REPLACE FUNCTION bluegreen.is_wider(narrow text, wide text)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $function$
DECLARE
    n bigint[] := string_to_array(narrow, ' ');
    w bigint[] := string_to_array(wide, ' ');
    old_type text := n[1]::oid::regtype;
    new_type text := w[1]::oid::regtype;
    is_free boolean := w[2] = -1;
BEGIN
    IF old_type IN ('character varying', 'text') THEN
        RETURN n[3] = w[3] AND (new_type IN ('character varying', 'text') AND is_free
                                OR old_type = 'character varying' AND new_type = 'character varying' AND n[2] <> -1 AND w[2] >= n[2]);
    END IF;
    RETURN CASE old_type
        WHEN 'smallint' THEN new_type IN ('integer', 'bigint') OR new_type = 'numeric' AND is_free
        WHEN 'integer' THEN new_type = 'bigint' OR new_type = 'numeric' AND is_free
        WHEN 'bigint' THEN new_type = 'numeric' AND is_free
        -- A modifier holds precision and scale; with the same scale nothing is rounded, nor given more digits.
        WHEN 'numeric' THEN new_type = 'numeric' AND n[2] <> -1
                            AND (is_free OR (w[2] - 4) & 65535 = (n[2] - 4) & 65535 AND w[2] >= n[2])
        ELSE false
    END;
END
$function$;

-- What has been done to blue's tables since, or with them, that replication or the comparison would not stand.
CREATE OR REPLACE FUNCTION bluegreen.broken(before jsonb, subscription text)
RETURNS text[] LANGUAGE sql STABLE AS $function$
WITH b AS MATERIALIZED (
    SELECT * FROM pg_catalog.jsonb_to_recordset(before) AS f (stays boolean, kind text, object text, label text, fact text)
),
a AS MATERIALIZED (SELECT * FROM bluegreen.facts(subscription)),
problem (text) AS (
    SELECT b.kind || ' ' || b.label || CASE WHEN a.fact IS NULL THEN ' is gone' ELSE ' is not what it was' END
    FROM b LEFT JOIN a ON a.kind = b.kind AND a.object = b.object
    WHERE b.stays AND a.fact IS DISTINCT FROM b.fact
      AND NOT (b.kind = 'type of column' AND a.fact IS NOT NULL AND bluegreen.is_wider(b.fact, a.fact))
      -- What goes with its table, or its column, is not told by itself.
      AND (a.fact IS NOT NULL OR b.kind IN ('table', 'role', 'subscription', 'object of the release')
           OR b.kind = 'sequence of column' AND EXISTS (
               SELECT FROM a t WHERE t.kind = 'column' AND t.label = b.label)
           OR b.kind IN ('column', 'rows') AND EXISTS (
               SELECT FROM a t WHERE t.kind = 'table' AND t.object = pg_catalog.split_part(b.object, ' ', 1)))
    UNION ALL
    SELECT a.kind || ' ' || a.label || ' is new'
    FROM a
    WHERE NOT a.stays AND NOT EXISTS (SELECT FROM b WHERE b.kind = a.kind AND b.object = a.object)
      -- One that was dropped and made again as it was: a wider type of a column does so with all that count on it.
      AND NOT (a.kind IN ('unique index', 'constraint') AND EXISTS (
          SELECT FROM b WHERE b.kind = a.kind AND b.label = a.label AND b.fact = a.fact))
      -- A column that is new itself, and has a default, has the same value in all rows that come.
      AND NOT (a.kind = 'NOT NULL' AND a.fact = 'filled'
               AND NOT EXISTS (SELECT FROM b c WHERE c.kind = 'column' AND c.object = a.object))
      AND NOT (a.kind = 'constraint' AND a.fact !~ '^[|]' AND NOT EXISTS (
          SELECT FROM b c
          WHERE c.kind = 'column' AND c.object = ANY (pg_catalog.string_to_array(pg_catalog.split_part(a.fact, '|', 1), ','))))
)
SELECT coalesce(pg_catalog.array_agg(DISTINCT p.text ORDER BY p.text), '{}') FROM problem p
$function$;

-- Runs statements in one transaction, proves that they broke nothing, and writes what came of it in the same transaction:
-- it is one statement for the server, which goes on also when whoever asked for it is gone. The role that the script has
-- SET before is taken on within: it may not call this function.
CREATE OR REPLACE FUNCTION bluegreen.run_change(the_key text, the_number int, roles jsonb, statements jsonb, subscription text)
RETURNS void LANGUAGE plpgsql AS $function$
DECLARE
    before jsonb := (SELECT pg_catalog.jsonb_agg(f) FROM bluegreen.facts(subscription) f);
    statement text;
    done int := 0;
    affected bigint;
    counts bigint[] := '{}';
    problems text[];
    reason text;
    hint text;
BEGIN
    BEGIN
        FOR statement IN SELECT pg_catalog.jsonb_array_elements_text(roles) LOOP
            EXECUTE statement;
        END LOOP;
        FOR statement IN SELECT pg_catalog.jsonb_array_elements_text(statements) LOOP
            EXECUTE statement;
            GET DIAGNOSTICS affected = ROW_COUNT;
            counts := counts || affected;
            done := done + 1;
        END LOOP;
        SET CONSTRAINTS ALL IMMEDIATE;
        EXECUTE 'RESET ROLE';
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
        problems := bluegreen.broken(before, subscription);
        IF problems <> '{}' THEN
            done := -1;
            RAISE EXCEPTION '%', array_to_string(problems[:20], '; ');
        END IF;
    EXCEPTION WHEN OTHERS THEN
        -- Without the detail, which may hold the values of a row.
        GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        UPDATE bluegreen.change c
        SET ended_at = clock_timestamp(), failed_statement = done, failure = concat_ws(': ', reason, nullif(hint, ''))
        WHERE c.key = the_key AND c.number = the_number;
        RETURN;
    END;
    UPDATE bluegreen.change c SET ended_at = clock_timestamp(), row_counts = to_jsonb(counts)
    WHERE c.key = the_key AND c.number = the_number;
END
$function$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA bluegreen FROM PUBLIC;

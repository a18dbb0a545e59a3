-- What this database holds, as rows: kind and identity as they stand in DDL, what it is part of, the rest of the DDL.
-- Left out: what belongs to an extension, to the release (publication :own), to PostgreSQL itself; comments; positions.
-- Written so that the same schema gives the same rows on PostgreSQL 15 to 18.
WITH member AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
),
hidden AS MATERIALIZED (
    SELECT oid FROM pg_namespace WHERE nspname = 'bluegreen' OR nspname ~ '^pg_(toast|temp_|toast_temp_)'
),
relation AS MATERIALIZED (
    SELECT c.*, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                               WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind,
           c.oid::regclass::text AS identity
    FROM pg_class c
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't' AND c.oid >= 16384
      AND c.relnamespace NOT IN (SELECT oid FROM hidden)
      AND c.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_class'::regclass)
),
-- With the column that a sequence belongs to: as its identity (i), or because it is OWNED BY it (a).
sequence AS MATERIALIZED (
    SELECT r.identity, r.relowner, r.relacl, d.refobjid::regclass::text AS relation, d.refobjid, d.refobjsubid, d.deptype,
           'AS ' || format_type(s.seqtypid, NULL) AS type,
           format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s', s.seqstart, s.seqincrement, s.seqmin,
                  s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END) AS options
    FROM relation r
    JOIN pg_sequence s ON s.seqrelid = r.oid
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
                         AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
),
attribute AS MATERIALIZED (
    SELECT a.*, r.kind || ' ' || r.identity AS address, r.relkind, r.relispartition, r.identity || '.' || quote_ident(a.attname) AS identity,
           format('%s %s ALTER COLUMN %I', r.kind, r.identity, a.attname) AS place,
           t.typcollation, t.typstorage, pg_get_expr(d.adbin, d.adrelid) AS expression
    FROM relation r
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.relkind IN ('r', 'p', 'f', 'v', 'm')
),
-- Everything that has an owner or an access list of its own.
object (kind, identity, part_of, definition, owner, acl, acl_type) AS MATERIALIZED (
    SELECT 'SCHEMA', quote_ident(n.nspname), '', '', n.nspowner, n.nspacl, 'n'
    FROM pg_namespace n
    WHERE (n.oid >= 16384 OR n.nspname = 'public') AND n.oid NOT IN (SELECT oid FROM hidden)
      AND n.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_namespace'::regclass)
    UNION ALL
    SELECT r.kind, r.identity, '',
           CASE WHEN r.relkind IN ('v', 'm') THEN
                    coalesce('WITH (' || array_to_string(r.reloptions, ', ') || ') ', '') || 'AS ' || pg_get_viewdef(r.oid)
                WHEN r.relkind = 'f' THEN
                    (SELECT format('SERVER %I', s.srvname) || coalesce(' OPTIONS ' || f.ftoptions::text, '')
                     FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = r.oid)
                ELSE concat_ws(' ',
                    'OF ' || nullif(r.reloftype, 0)::regtype,
                    (SELECT CASE WHEN r.relispartition THEN 'PARTITION OF ' || min(i.inhparent::regclass::text)
                                 ELSE 'INHERITS (' || string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) || ')' END
                     FROM pg_inherits i WHERE i.inhrelid = r.oid HAVING count(*) > 0),
                    pg_get_expr(r.relpartbound, r.oid),
                    CASE WHEN r.relkind = 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(r.oid) END,
                    (SELECT format('USING %I', a.amname) FROM pg_am a WHERE a.oid = r.relam AND a.amname <> 'heap'),
                    (SELECT format('TABLESPACE %I', t.spcname) FROM pg_tablespace t WHERE t.oid = r.reltablespace)) END,
           r.relowner, r.relacl, 'r'
    FROM relation r WHERE r.relkind <> 'S'
    UNION ALL
    SELECT 'SEQUENCE', s.identity, CASE WHEN s.deptype = 'i' THEN 'TABLE ' || s.relation ELSE '' END,
           CASE WHEN s.deptype = 'i' THEN '' ELSE concat_ws(' ', s.type, s.options) END, s.relowner, s.relacl, 's'
    FROM sequence s
    UNION ALL
    SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END,
           p.oid::regprocedure::text, '',
           CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid)
                ELSE (SELECT concat_ws(', ', a.aggkind, a.aggtransfn, format_type(a.aggtranstype, NULL),
                                       a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn,
                                       a.aggminvtransfn, a.aggmfinalfn, a.aggfinalextra, a.aggfinalmodify,
                                       a.aggsortop::regoperator, a.agginitval, a.aggminitval, p.proparallel)
                      FROM pg_aggregate a WHERE a.aggfnoid = p.oid) END,
           p.proowner, p.proacl, 'f'
    FROM pg_proc p
    WHERE p.oid >= 16384 AND p.pronamespace NOT IN (SELECT oid FROM hidden)
      AND p.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_proc'::regclass)
      -- constructors of range types come with their types
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL
    SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, t.oid::regtype::text, '',
           CASE t.typtype
               WHEN 'e' THEN 'AS ENUM (' || coalesce((SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                                                      FROM pg_enum e WHERE e.enumtypid = t.oid), '') || ')'
               WHEN 'd' THEN concat_ws(' ', 'AS', format_type(t.typbasetype, t.typtypmod),
                                       'COLLATE ' || nullif(nullif(t.typcollation, b.typcollation), 0)::regcollation,
                                       'DEFAULT ' || t.typdefault, CASE WHEN t.typnotnull THEN 'NOT NULL' END)
               WHEN 'c' THEN 'AS (' || coalesce((SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '
                                                                   ORDER BY a.attnum)
                                                 FROM pg_attribute a
                                                 WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')'
               WHEN 'r' THEN (SELECT format('AS RANGE (%s)', concat_ws(', ', 'SUBTYPE = ' || g.rngsubtype::regtype,
                                            'COLLATION = ' || nullif(g.rngcollation, 0)::regcollation,
                                            'CANONICAL = ' || nullif(g.rngcanonical::oid, 0)::regprocedure,
                                            'SUBTYPE_DIFF = ' || nullif(g.rngsubdiff::oid, 0)::regprocedure))
                              FROM pg_range g WHERE g.rngtypid = t.oid)
               ELSE concat_ws(', ', t.typinput, t.typoutput, t.typreceive, t.typsend, t.typlen, t.typalign, t.typstorage) END,
           t.typowner, t.typacl, 'T'
    FROM pg_type t
    LEFT JOIN pg_type b ON b.oid = t.typbasetype
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.oid >= 16384 AND t.typisdefined AND t.typnamespace NOT IN (SELECT oid FROM hidden)
      AND t.typtype IN ('e', 'd', 'c', 'r', 'b') AND (t.typtype <> 'c' OR c.relkind = 'c')
      AND (t.typtype <> 'b' OR NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid))
      AND t.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_type'::regclass)
    UNION ALL
    SELECT 'LANGUAGE', quote_ident(l.lanname), '',
           concat_ws(' ', CASE WHEN l.lanpltrusted THEN 'TRUSTED' END, 'HANDLER', nullif(l.lanplcallfoid, 0)::regprocedure),
           l.lanowner, l.lanacl, 'l'
    FROM pg_language l
    WHERE l.oid >= 16384 AND l.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_language'::regclass)
    UNION ALL
    SELECT 'FOREIGN DATA WRAPPER', quote_ident(w.fdwname), '', coalesce('OPTIONS ' || w.fdwoptions::text, ''),
           w.fdwowner, w.fdwacl, 'F'
    FROM pg_foreign_data_wrapper w
    WHERE w.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_foreign_data_wrapper'::regclass)
    UNION ALL
    SELECT 'SERVER', quote_ident(s.srvname), '',
           concat_ws(' ', format('FOREIGN DATA WRAPPER %I', w.fdwname), 'OPTIONS ' || s.srvoptions::text),
           s.srvowner, s.srvacl, 'S'
    FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
    UNION ALL
    SELECT 'OPERATOR', o.oid::regoperator::text, '',
           concat_ws(', ', o.oprcode, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprrest, o.oprjoin, o.oprcanhash,
                     o.oprcanmerge), o.oprowner, NULL, NULL
    FROM pg_operator o
    WHERE o.oid >= 16384 AND o.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_operator'::regclass)
    UNION ALL
    SELECT 'OPERATOR CLASS', format('%I.%I USING %I', n.nspname, o.opcname, a.amname), '',
           concat_ws(', ', CASE WHEN o.opcdefault THEN 'DEFAULT' END, 'FOR TYPE ' || o.opcintype::regtype,
                     format('FAMILY %I', f.opfname), 'STORAGE ' || nullif(o.opckeytype, 0)::regtype), o.opcowner, NULL, NULL
    FROM pg_opclass o
    JOIN pg_namespace n ON n.oid = o.opcnamespace JOIN pg_am a ON a.oid = o.opcmethod JOIN pg_opfamily f ON f.oid = o.opcfamily
    WHERE o.oid >= 16384 AND o.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_opclass'::regclass)
    UNION ALL
    SELECT 'OPERATOR FAMILY', format('%I.%I USING %I', n.nspname, f.opfname, a.amname), '',
           concat_ws(', ', (SELECT string_agg(o.amopstrategy || ' ' || o.amopopr::regoperator, ', ' ORDER BY o.amopstrategy, o.amopopr::regoperator::text COLLATE "C")
                            FROM pg_amop o WHERE o.amopfamily = f.oid),
                     (SELECT string_agg(p.amprocnum || ' ' || p.amproc, ', ' ORDER BY p.amprocnum, p.amproc::text COLLATE "C")
                      FROM pg_amproc p WHERE p.amprocfamily = f.oid)), f.opfowner, NULL, NULL
    FROM pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace JOIN pg_am a ON a.oid = f.opfmethod
    WHERE f.oid >= 16384 AND f.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_opfamily'::regclass)
    UNION ALL
    SELECT 'COLLATION', c.oid::regcollation::text, '',
           concat_ws(', ', c.collprovider, CASE WHEN NOT c.collisdeterministic THEN 'DETERMINISTIC = false' END,
                     c.collcollate, c.collctype, to_jsonb(c) ->> 'colliculocale', to_jsonb(c) ->> 'colllocale',
                     to_jsonb(c) ->> 'collicurules'), c.collowner, NULL, NULL
    FROM pg_collation c
    WHERE c.oid >= 16384 AND c.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_collation'::regclass)
    UNION ALL
    SELECT 'CONVERSION', format('%I.%I', n.nspname, c.conname), '',
           concat_ws(' ', pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding), c.conproc), c.conowner, NULL, NULL
    FROM pg_conversion c JOIN pg_namespace n ON n.oid = c.connamespace
    WHERE c.oid >= 16384 AND c.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_conversion'::regclass)
    UNION ALL
    SELECT 'TEXT SEARCH DICTIONARY', d.oid::regdictionary::text, '', concat_ws(', ', format('TEMPLATE = %I.%I', n.nspname, t.tmplname), d.dictinitoption),
           d.dictowner, NULL, NULL
    FROM pg_ts_dict d JOIN pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_namespace n ON n.oid = t.tmplnamespace
    WHERE d.oid >= 16384 AND d.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_ts_dict'::regclass)
    UNION ALL
    SELECT 'TEXT SEARCH CONFIGURATION', c.oid::regconfig::text, '',
           concat_ws(' ', format('PARSER = %I', p.prsname),
                     (SELECT string_agg(m.maptokentype || ' ' || m.mapdict::regdictionary, ', ' ORDER BY m.maptokentype, m.mapseqno)
                      FROM pg_ts_config_map m WHERE m.mapcfg = c.oid)), c.cfgowner, NULL, NULL
    FROM pg_ts_config c JOIN pg_ts_parser p ON p.oid = c.cfgparser
    WHERE c.oid >= 16384 AND c.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_ts_config'::regclass)
    UNION ALL
    SELECT 'STATISTICS', format('%I.%I', n.nspname, s.stxname), r.kind || ' ' || r.identity, pg_get_statisticsobjdef(s.oid),
           s.stxowner, NULL, NULL
    FROM pg_statistic_ext s JOIN relation r ON r.oid = s.stxrelid JOIN pg_namespace n ON n.oid = s.stxnamespace
    UNION ALL
    SELECT 'EVENT TRIGGER', quote_ident(e.evtname), '',
           concat_ws(' ', 'ON', e.evtevent, 'WHEN TAG IN ' || e.evttags::text, 'EXECUTE FUNCTION', e.evtfoid::regprocedure,
                     CASE e.evtenabled WHEN 'D' THEN '(disabled)' WHEN 'A' THEN '(always)' WHEN 'R' THEN '(replica)' END), e.evtowner, NULL, NULL
    FROM pg_event_trigger e
    WHERE e.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_event_trigger'::regclass)
    UNION ALL
    SELECT 'PUBLICATION', quote_ident(p.pubname), '',
           concat_ws(' ', CASE WHEN p.puballtables THEN 'FOR ALL TABLES' END,
                     'FOR ' || (SELECT string_agg(concat_ws(' ', 'TABLE', t.prrelid::regclass, t.prattrs::text,
                                                            'WHERE (' || pg_get_expr(t.prqual, t.prrelid) || ')'),
                                                  ', ' ORDER BY t.prrelid::regclass::text COLLATE "C")
                                FROM pg_publication_rel t WHERE t.prpubid = p.oid),
                     'FOR TABLES IN SCHEMA ' || (SELECT string_agg(s.pnnspid::regnamespace::text, ', ' ORDER BY s.pnnspid::regnamespace::text COLLATE "C")
                                                 FROM pg_publication_namespace s WHERE s.pnpubid = p.oid),
                     format('WITH (publish = %L, publish_via_partition_root = %s)',
                            concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
                                      CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END),
                            p.pubviaroot)), p.pubowner, NULL, NULL
    FROM pg_publication p WHERE p.pubname <> :own
),
-- The privileges of everybody but the owner, who has all unless they were revoked. GRANT ALL of before 17 grants all of
-- 17 as well once it is restored there: MAINTAIN counts only without it.
privilege AS (
    SELECT o.kind || ' ' || o.identity AS address,
           CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(e.grantee)) END AS grantee,
           e.is_grantable, array_agg(DISTINCT e.privilege_type ORDER BY e.privilege_type) AS privileges
    FROM object o CROSS JOIN LATERAL aclexplode(coalesce(o.acl, acldefault(o.acl_type::"char", o.owner))) e
    WHERE o.acl_type IS NOT NULL AND e.grantee <> o.owner
    GROUP BY 1, 2, 3
),
revoked AS (
    SELECT o.kind || ' ' || o.identity AS address, quote_ident(pg_get_userbyid(o.owner)) AS owner,
           ARRAY(SELECT d.privilege_type FROM aclexplode(acldefault(o.acl_type::"char", o.owner)) d
                 WHERE d.grantee = o.owner AND d.privilege_type <> 'MAINTAIN'
                 EXCEPT SELECT e.privilege_type FROM aclexplode(o.acl) e WHERE e.grantee = o.owner
                 ORDER BY 1) AS privileges
    FROM object o WHERE o.acl IS NOT NULL
)
SELECT kind, identity, part_of, definition, 0 AS place FROM object
UNION ALL
SELECT 'OWNER', '', kind || ' ' || identity, quote_ident(pg_get_userbyid(owner)), 0 FROM object
UNION ALL
SELECT CASE WHEN is_grantable THEN 'GRANT OPTION' ELSE 'GRANT' END, grantee, address,
       array_to_string(CASE WHEN privileges @> '{DELETE,INSERT,REFERENCES,SELECT,TRIGGER,TRUNCATE,UPDATE}'
                            THEN array_remove(privileges, 'MAINTAIN') ELSE privileges END, ', '), 0
FROM privilege
UNION ALL
SELECT 'REVOKED', owner, address, array_to_string(privileges, ', '), 0 FROM revoked WHERE privileges <> '{}'
UNION ALL
SELECT 'COLUMN GRANT', CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(e.grantee)) END, a.address,
       string_agg(DISTINCT format('%s (%I)%s', e.privilege_type, a.attname, CASE WHEN e.is_grantable THEN '*' END), ', '), 0
FROM attribute a CROSS JOIN LATERAL aclexplode(a.attacl) e
GROUP BY 2, 3
UNION ALL
SELECT CASE WHEN e.is_grantable THEN 'DEFAULT GRANT OPTION' ELSE 'DEFAULT GRANT' END,
       CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(e.grantee)) END,
       concat_ws(' ', 'FOR ROLE', quote_ident(pg_get_userbyid(d.defaclrole)),
                 'IN SCHEMA ' || nullif(d.defaclnamespace, 0)::regnamespace, 'ON',
                 CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                                      WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE d.defaclobjtype::text END),
       string_agg(e.privilege_type, ', ' ORDER BY e.privilege_type), 0
FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) e
WHERE e.privilege_type <> 'MAINTAIN'
GROUP BY 1, 2, 3
UNION ALL
SELECT 'COLUMN', a.identity, a.address,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                 'COLLATE ' || nullif(nullif(a.attcollation, a.typcollation), 0)::regcollation,
                 CASE a.attgenerated WHEN 's' THEN 'GENERATED ALWAYS AS (' || a.expression || ') STORED'
                                     WHEN 'v' THEN 'GENERATED ALWAYS AS (' || a.expression || ') VIRTUAL' END), a.attnum
FROM attribute a WHERE a.relkind IN ('r', 'p', 'f')
UNION ALL
SELECT 'DEFAULT', a.place, 'COLUMN ' || a.identity, a.expression, 0
FROM attribute a WHERE a.expression IS NOT NULL AND a.attgenerated = ''
UNION ALL
SELECT 'NOT NULL', a.place, 'COLUMN ' || a.identity, '', 0
FROM attribute a WHERE a.attnotnull AND a.relkind IN ('r', 'p', 'f')
UNION ALL
SELECT 'STORAGE', a.place, 'COLUMN ' || a.identity,
       CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END, 0
FROM attribute a WHERE a.attstorage <> a.typstorage AND a.relkind IN ('r', 'p', 'm')
UNION ALL
SELECT 'COMPRESSION', a.place, 'COLUMN ' || a.identity,
       CASE a.attcompression WHEN 'p' THEN 'pglz' ELSE 'lz4' END, 0
FROM attribute a WHERE a.attcompression <> '' AND a.relkind IN ('r', 'p', 'm')
UNION ALL
SELECT 'STATISTICS TARGET', a.place, 'COLUMN ' || a.identity,
       concat_ws(' ', nullif(a.attstattarget, -1), a.attoptions::text), 0
FROM attribute a WHERE coalesce(a.attstattarget, -1) <> -1 OR a.attoptions IS NOT NULL
UNION ALL
SELECT 'IDENTITY', format('TABLE %s ALTER COLUMN %I', s.relation, a.attname), format('COLUMN %s.%I', s.relation, a.attname),
       format('GENERATED %s AS IDENTITY (SEQUENCE NAME %s %s)', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
              s.identity, s.options), 0
FROM sequence s JOIN pg_attribute a ON a.attrelid = s.refobjid AND a.attnum = s.refobjsubid WHERE s.deptype = 'i'
UNION ALL
SELECT 'OWNED BY', '', 'SEQUENCE ' || s.identity, format('%s.%I', s.relation, a.attname), 0
FROM sequence s JOIN pg_attribute a ON a.attrelid = s.refobjid AND a.attnum = s.refobjsubid WHERE s.deptype = 'a'
UNION ALL
SELECT 'PROPERTY', p.name, 'TABLE ' || r.identity, p.definition, 0
FROM relation r
CROSS JOIN LATERAL (VALUES
    ('persistence', CASE r.relpersistence WHEN 'u' THEN 'SET UNLOGGED' END),
    ('parameters', 'SET (' || array_to_string(r.reloptions, ', ') || ')'),
    ('row security', CASE WHEN r.relrowsecurity THEN 'ENABLE ROW LEVEL SECURITY' END),
    ('forced row security', CASE WHEN r.relforcerowsecurity THEN 'FORCE ROW LEVEL SECURITY' END),
    ('replica identity', CASE r.relreplident WHEN 'f' THEN 'REPLICA IDENTITY FULL' WHEN 'n' THEN 'REPLICA IDENTITY NOTHING'
         WHEN 'i' THEN (SELECT format('REPLICA IDENTITY USING INDEX %I', c.relname)
                        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = r.oid AND i.indisreplident) END)
) AS p (name, definition)
WHERE r.relkind IN ('r', 'p') AND p.definition IS NOT NULL
UNION ALL
-- NOT NULL is a constraint from 18 on, and an attribute always; what a partition has from its parent follows from that.
SELECT 'CONSTRAINT', quote_ident(c.conname), r.kind || ' ' || r.identity, pg_get_constraintdef(c.oid), 0
FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
WHERE c.contype IN ('c', 'f', 'p', 'u', 'x') AND c.conparentid = 0 AND c.conislocal
UNION ALL
SELECT 'CONSTRAINT', quote_ident(c.conname), 'DOMAIN ' || c.contypid::regtype, pg_get_constraintdef(c.oid), 0
FROM pg_constraint c
WHERE c.contypid >= 16384 AND c.contype = 'c'
  AND c.contypid NOT IN (SELECT objid FROM member WHERE classid = 'pg_type'::regclass)
UNION ALL
-- An index that is not valid is one that is being made, or one that failed; nothing uses it.
SELECT 'INDEX', i.indexrelid::regclass::text, r.kind || ' ' || r.identity, pg_get_indexdef(i.indexrelid), 0
FROM pg_index i JOIN relation r ON r.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT c.relispartition AND (i.indisvalid OR c.relkind = 'I')
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'TRIGGER', format('%I ON %s', t.tgname, r.identity), r.kind || ' ' || r.identity,
       pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'D' THEN ' (disabled)' WHEN 'A' THEN ' (always)'
                                                    WHEN 'R' THEN ' (replica)' ELSE '' END, 0
FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgparentid = 0
UNION ALL
SELECT 'RULE', format('%I ON %s', w.rulename, r.identity), r.kind || ' ' || r.identity,
       pg_get_ruledef(w.oid) || CASE w.ev_enabled WHEN 'D' THEN ' (disabled)' WHEN 'A' THEN ' (always)'
                                                  WHEN 'R' THEN ' (replica)' ELSE '' END, 0
FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
UNION ALL
SELECT 'POLICY', format('%I ON %s', p.polname, r.identity), r.kind || ' ' || r.identity,
       concat_ws(' ', 'AS', CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                 'FOR', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                 'TO', (SELECT string_agg(CASE o WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o)) END, ', ' ORDER BY o) FROM unnest(p.polroles) o),
                 'USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', 'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'), 0
FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
UNION ALL
SELECT 'CAST', format('(%s AS %s)', c.castsource::regtype, c.casttarget::regtype), '',
       concat_ws(' ', nullif(c.castfunc, 0)::regprocedure, c.castcontext, c.castmethod), 0
FROM pg_cast c WHERE c.oid >= 16384 AND c.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_cast'::regclass)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid AND d.deptype = 'i')
UNION ALL
SELECT 'USER MAPPING', format('FOR %s SERVER %I', coalesce(quote_ident(pg_get_userbyid(nullif(u.umuser, 0))), 'PUBLIC'), u.srvname), 'SERVER ' || quote_ident(u.srvname),
       encode(sha256(convert_to(coalesce(u.umoptions::text, ''), 'UTF8')), 'hex'), 0  -- options hold passwords
FROM pg_user_mappings u
UNION ALL
SELECT 'EXTENSION', quote_ident(e.extname), '', format('SCHEMA %s VERSION %L', e.extnamespace::regnamespace, e.extversion), 0
FROM pg_extension e WHERE e.extnamespace NOT IN (SELECT oid FROM hidden)

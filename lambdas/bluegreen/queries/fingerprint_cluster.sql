-- What a cluster holds beside its databases, as rows like those of fingerprint_database.sql: roles, memberships,
-- settings, databases. Left out: roles of PostgreSQL, of AWS (rds...) and of the release's replication (:own), and our own.
WITH role AS MATERIALIZED (
    SELECT r.*, quote_ident(r.rolname) AS identity FROM pg_roles r
    WHERE (r.oid >= 16384 OR r.oid = 10) AND r.rolname !~ '^(pg_|rds)' AND r.rolname <> :own
),
granted AS (
    SELECT d.datname, d.datdba, CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(e.grantee)) END AS grantee,
           e.privilege_type, e.is_grantable
    FROM pg_database d CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) e
    WHERE e.grantee <> d.datdba AND pg_get_userbyid(e.grantee) <> :own AND d.datname <> 'rdsadmin'
)
SELECT 'ROLE' AS kind, r.identity, '' AS part_of,
       concat_ws(' ', CASE WHEN r.rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
                 CASE WHEN r.rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
                 CASE WHEN r.rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
                 CASE WHEN r.rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
                 CASE WHEN r.rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
                 CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
                 'CONNECTION LIMIT', r.rolconnlimit, format('VALID UNTIL %L', coalesce(r.rolvaliduntil, 'infinity'))) AS definition,
       0 AS place
FROM role r
UNION ALL
SELECT 'LOGIN', '', 'ROLE ' || r.identity, 'LOGIN', 0 FROM role r WHERE r.rolcanlogin
UNION ALL
-- From 16 on a membership says by itself what it gives; before, the member's INHERIT did.
SELECT 'MEMBERSHIP', quote_ident(g.rolname), 'ROLE ' || r.identity,
       concat_ws(', ', CASE WHEN bool_or(m.admin_option) THEN 'ADMIN TRUE' END,
                 CASE WHEN NOT bool_or(coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, r.rolinherit)) THEN 'INHERIT FALSE' END,
                 CASE WHEN NOT bool_or(coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)) THEN 'SET FALSE' END), 0
FROM pg_auth_members m JOIN role r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
WHERE g.rolname <> :own
GROUP BY g.rolname, r.identity
UNION ALL
-- A setting with a dot in its name is an application's own, and may be a secret: only its hash is kept.
SELECT 'SETTING', s.name,
       CASE WHEN p.setrole = 0 THEN 'DATABASE ' || quote_ident(d.datname)
            ELSE concat_ws(' ', 'ROLE', quote_ident(pg_get_userbyid(p.setrole)), 'IN DATABASE ' || quote_ident(d.datname)) END,
       CASE WHEN s.name LIKE '%.%' THEN 'hash ' || encode(sha256(convert_to(s.value, 'UTF8')), 'hex')
            WHEN s.name IN ('search_path', 'temp_tablespaces', 'session_preload_libraries', 'local_preload_libraries') THEN s.value
            ELSE quote_literal(s.value) END, 0
FROM pg_db_role_setting p
LEFT JOIN pg_database d ON d.oid = p.setdatabase
CROSS JOIN LATERAL (SELECT split_part(t, '=', 1), substr(t, strpos(t, '=') + 1) FROM unnest(p.setconfig) t) AS s (name, value)
WHERE p.setrole = 0 AND d.datname IS NOT NULL AND d.datname <> 'rdsadmin' OR p.setrole IN (SELECT oid FROM role)
UNION ALL
SELECT 'DATABASE', quote_ident(d.datname), '',
       concat_ws(' ', 'ENCODING', pg_encoding_to_char(d.encoding), 'LOCALE_PROVIDER', d.datlocprovider,
                 'LC_COLLATE', quote_literal(d.datcollate), 'LC_CTYPE', quote_literal(d.datctype),
                 'LOCALE ' || coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale'),
                 'CONNECTION LIMIT ' || nullif(d.datconnlimit, -1), CASE WHEN d.datistemplate THEN 'IS_TEMPLATE true' END,
                 CASE WHEN NOT d.datallowconn THEN 'ALLOW_CONNECTIONS false' END), 0
FROM pg_database d WHERE d.datname <> 'rdsadmin'
UNION ALL
SELECT 'OWNER', '', 'DATABASE ' || quote_ident(d.datname), quote_ident(pg_get_userbyid(d.datdba)), 0
FROM pg_database d WHERE d.datname <> 'rdsadmin'
UNION ALL
-- By itself: the fence of green may take it away, and the opening gives it back.
SELECT CASE WHEN g.is_grantable THEN 'CONNECT OPTION' ELSE 'CONNECT' END, g.grantee, 'DATABASE ' || quote_ident(g.datname), 'CONNECT', 0
FROM granted g WHERE g.privilege_type = 'CONNECT' GROUP BY 1, 2, 3
UNION ALL
SELECT CASE WHEN g.is_grantable THEN 'GRANT OPTION' ELSE 'GRANT' END, g.grantee, 'DATABASE ' || quote_ident(g.datname),
       string_agg(DISTINCT g.privilege_type, ', '), 0
FROM granted g WHERE g.privilege_type <> 'CONNECT' GROUP BY 1, 2, 3
UNION ALL
SELECT CASE WHEN e.is_grantable THEN 'GRANT OPTION' ELSE 'GRANT' END, quote_ident(pg_get_userbyid(e.grantee)),
       'PARAMETER ' || p.parname, string_agg(DISTINCT e.privilege_type, ', '), 0
FROM pg_parameter_acl p CROSS JOIN LATERAL aclexplode(p.paracl) e
WHERE e.grantee IN (SELECT oid FROM role) GROUP BY 1, 2, 3

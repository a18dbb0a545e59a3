-- Who may connect to which database, as the access lists have it: an empty list stands for the defaults.
-- The database rdsadmin is AWS's own, and admits nobody else.
SELECT d.datname AS database, o.rolname AS owner, g.rolname AS grantor, r.rolname AS grantee,
       a.is_grantable, coalesce(r.rolname = current_user OR r.rolname = ANY (:spared::text[]), false) AS is_kept
FROM pg_database d
JOIN pg_roles o ON o.oid = d.datdba
CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
JOIN pg_roles g ON g.oid = a.grantor
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE d.datallowconn AND d.datname <> 'rdsadmin' AND a.privilege_type = 'CONNECT'
ORDER BY 1, 3, 4 NULLS FIRST

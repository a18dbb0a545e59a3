-- A hash of each role's password as the server keeps it, which is itself a salted hash (SCRAM) or as good as the password
-- (md5): neither leaves the server. Only a superuser may look. Our own may be rotated meanwhile.
SELECT 'PASSWORD' AS kind, '' AS identity, 'ROLE ' || quote_ident(a.rolname) AS part_of,
       encode(sha256(convert_to(:own || ' ' || a.rolname || ' ' || a.rolpassword, 'UTF8')), 'hex') AS definition, 0 AS place
FROM pg_authid a WHERE a.rolpassword IS NOT NULL AND a.rolname !~ '^(pg_|rds)' AND a.rolname NOT IN (:own, current_user)

-- Extensions whose newest version on this server is another one, or of which it brings none at all.
SELECT e.extname AS name, e.extversion AS installed, coalesce(a.default_version, 'none') AS available,
       CASE WHEN a.name IS NULL THEN 'DROP EXTENSION it, unless the server of the next version is known to bring it' END AS fix
FROM pg_extension e LEFT JOIN pg_available_extensions a ON a.name = e.extname
WHERE e.extversion IS DISTINCT FROM a.default_version

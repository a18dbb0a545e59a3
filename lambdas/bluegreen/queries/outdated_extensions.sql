-- Extensions of which the server brings another version than the one that is installed.
SELECT e.extname AS name, e.extversion AS installed, a.default_version AS available
FROM pg_extension e JOIN pg_available_extensions a ON a.name = e.extname
WHERE e.extversion <> a.default_version
ORDER BY 1

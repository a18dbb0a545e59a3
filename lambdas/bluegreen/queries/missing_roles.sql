-- Which of these roles do not exist here.
SELECT r AS name FROM unnest(:roles::text[]) AS r
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) ORDER BY 1

-- Which release made the schema bluegreen, by its comment; no row when there is no such schema.
SELECT obj_description(oid, 'pg_namespace') AS made_by FROM pg_namespace WHERE nspname = 'bluegreen'

-- Puts a table's chunks in its place.
WITH divided AS (
    DELETE FROM bluegreen.comparison WHERE number = :number RETURNING schema, name
)
INSERT INTO bluegreen.comparison (schema, name, chunk)
SELECT schema, name, chunk FROM divided, jsonb_array_elements(:chunks::jsonb) AS given (chunk)

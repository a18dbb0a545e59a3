-- Some chunks of a table.
INSERT INTO bluegreen.comparison (schema, name, row_estimate, chunk)
SELECT schema, name, (given.chunk ->> 'row_estimate')::bigint, given.chunk
FROM bluegreen.comparison, jsonb_array_elements(:chunks::jsonb) AS given (chunk)
WHERE number = :number

-- Every table is to be divided into chunks first.
INSERT INTO bluegreen.comparison (schema, name)
SELECT schema, name FROM unnest(:schemas::text[], :names::text[]) AS given (schema, name)

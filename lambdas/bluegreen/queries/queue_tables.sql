-- Every table is to be divided into chunks first.
INSERT INTO bluegreen.comparison (schema, name, row_estimate)
SELECT schema, name, row_estimate
FROM unnest(:schemas::text[], :names::text[], :row_estimates::bigint[]) AS given (schema, name, row_estimate)

-- Rows of these tables of this database.
SELECT schema, name, row_count FROM bluegreen.row_counts(:schemas::text[], :names::text[])

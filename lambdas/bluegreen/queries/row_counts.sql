-- Rows of every replicated table of this database.
SELECT schema, name, row_count FROM bluegreen.row_counts()

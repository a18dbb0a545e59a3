-- A table is to be divided anew: its chunks go, but those that somebody works on and those that differ.
WITH chosen AS (
    SELECT number FROM bluegreen.comparison
    WHERE schema = :schema AND name = :name AND differing_rows = 0 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM bluegreen.comparison c USING chosen WHERE c.number = chosen.number RETURNING c.row_estimate
)
INSERT INTO bluegreen.comparison (schema, name, row_estimate) SELECT :schema, :name, coalesce(sum(row_estimate), 0) FROM gone

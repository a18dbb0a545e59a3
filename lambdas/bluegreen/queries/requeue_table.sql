-- A table is to be divided anew: its chunks that nobody works on go, all of it is compared again.
WITH chosen AS (
    SELECT number FROM bluegreen.comparison
    WHERE schema = :schema AND name = :name AND done_at IS NULL FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM bluegreen.comparison c USING chosen WHERE c.number = chosen.number
)
INSERT INTO bluegreen.comparison (schema, name) VALUES (:schema, :name)

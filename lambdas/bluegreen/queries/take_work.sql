-- The first piece of work that nobody has. Its lock is held until the transaction ends, however it ends.
SELECT number, schema, name, chunk FROM bluegreen.comparison
WHERE done_at IS NULL ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED

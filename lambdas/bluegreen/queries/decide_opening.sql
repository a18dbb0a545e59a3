-- The first to insert decides, and gets its row back; whoever comes at the same time waits for that transaction to end.
INSERT INTO bluegreen.opening (switchover_id, outcome, decided_at) VALUES (:switchover_id, :outcome, clock_timestamp())
ON CONFLICT (switchover_id) DO NOTHING
RETURNING outcome

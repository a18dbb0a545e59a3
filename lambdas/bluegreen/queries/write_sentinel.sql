-- Writes the next sentinel on blue and says which one it is.
INSERT INTO bluegreen.sentinel AS s (release_id, beat, written_at) VALUES (:release_id, 1, clock_timestamp())
ON CONFLICT (release_id) DO UPDATE SET beat = s.beat + 1, written_at = excluded.written_at
RETURNING beat

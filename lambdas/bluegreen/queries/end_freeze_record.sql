-- Decides against the freeze, now and for every later attempt, and says what is to be given back.
-- No row when green may have been asked to open, unless it is known (:is_not_open) that it is not open.
INSERT INTO bluegreen.freeze_record AS f (release_id, roles, unfrozen_at) VALUES (:release_id, '{}', clock_timestamp())
ON CONFLICT (release_id) DO UPDATE SET unfrozen_at = coalesce(f.unfrozen_at, excluded.unfrozen_at)
WHERE f.opening_at IS NULL OR f.unfrozen_at IS NOT NULL OR :is_not_open::boolean
RETURNING roles, grants

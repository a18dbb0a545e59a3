-- Decides against the freeze, now and for every later call, and says which roles are to have LOGIN again: none once a
-- later attempt has frozen them. No row when green may have been asked to open, unless it is known (:is_not_open) that
-- it is not open.
INSERT INTO bluegreen.freeze_record AS f (switchover_id, roles, unfrozen_at) VALUES (:switchover_id, '{}', clock_timestamp())
ON CONFLICT (switchover_id) DO UPDATE SET unfrozen_at = coalesce(f.unfrozen_at, excluded.unfrozen_at)
WHERE f.opening_at IS NULL OR f.unfrozen_at IS NOT NULL OR :is_not_open::boolean
RETURNING CASE
    WHEN EXISTS (SELECT FROM bluegreen.freeze_record later WHERE later.frozen_at > f.frozen_at) THEN '{}'
    ELSE roles
END AS roles

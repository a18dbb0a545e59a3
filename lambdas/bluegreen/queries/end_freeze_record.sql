-- Decides against the freeze, now and for every later attempt, and says which roles are to have LOGIN again.
INSERT INTO bluegreen.freeze_record AS f (release_id, roles, unfrozen_at) VALUES (:release_id, '{}', clock_timestamp())
ON CONFLICT (release_id) DO UPDATE SET unfrozen_at = coalesce(f.unfrozen_at, excluded.unfrozen_at)
RETURNING roles, frozen_at::text AS frozen_at

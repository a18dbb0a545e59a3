-- Says on blue that green is about to be opened; no row when blue was given back, or never frozen.
UPDATE bluegreen.freeze_record SET opening_at = coalesce(opening_at, clock_timestamp())
WHERE switchover_id = :switchover_id AND frozen_at IS NOT NULL AND unfrozen_at IS NULL
RETURNING opening_at::text AS opening_at

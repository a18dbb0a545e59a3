-- Whether blue is frozen by this release, and whether the budget of that freeze is still running.
SELECT count(*) > 0 AS is_frozen, coalesce(bool_or(deadline_at > clock_timestamp()), false) AS is_under_way
FROM bluegreen.freeze_record
WHERE starts_with(switchover_id, :release_id || '/') AND frozen_at IS NOT NULL AND unfrozen_at IS NULL

-- The last freeze of a release, whether it was ended or not; one that was aborted before it began counts.
SELECT release_id, frozen_at IS NOT NULL AND unfrozen_at IS NULL AS is_frozen, opening_at IS NOT NULL AS may_be_open,
       opened_at IS NOT NULL AS is_open
FROM bluegreen.freeze_record WHERE starts_with(release_id, :release_id)
ORDER BY coalesce(frozen_at, unfrozen_at) DESC LIMIT 1

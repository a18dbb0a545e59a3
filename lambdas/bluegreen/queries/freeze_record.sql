-- The freeze of this release: on blue where it was made, on green where replication brought it.
SELECT roles, frozen_at::text AS frozen_at, unfrozen_at::text AS unfrozen_at, opened_at::text AS opened_at,
       coalesce(deadline_at < clock_timestamp(), false) AS is_overdue
FROM bluegreen.freeze_record WHERE release_id = :release_id

-- The freeze of this switchover: on blue where it was made, on green where replication brought it.
SELECT roles, grants, frozen_at::text AS frozen_at, unfrozen_at::text AS unfrozen_at, opened_at::text AS opened_at,
       coalesce(deadline_at < clock_timestamp(), false) AS is_overdue,
       extract(epoch FROM deadline_at - clock_timestamp())::float8 AS left_s
FROM bluegreen.freeze_record WHERE switchover_id = :switchover_id

-- Decides for the freeze, unless this switchover was frozen or aborted before; a row when it did.
-- The budget counts from now, or from :counted_from when the application was stopped before by a function of its own.
INSERT INTO bluegreen.freeze_record (switchover_id, roles, grants, frozen_at, deadline_at)
VALUES (:switchover_id, :roles::text[], :grants::jsonb, clock_timestamp(),
        coalesce(:counted_from::timestamptz, clock_timestamp()) + make_interval(secs => :budget_s))
ON CONFLICT (switchover_id) DO NOTHING
RETURNING switchover_id

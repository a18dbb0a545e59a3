-- Decides for the freeze, unless this switchover was frozen or aborted before, or its release was cleaned up and the
-- schema is another release's; a row when it did.
-- The budget counts from now, or from :counted_from when the application was stopped before by a function of its own.
INSERT INTO bluegreen.freeze_record (switchover_id, roles, grants, frozen_at, deadline_at)
SELECT :switchover_id, :roles::text[], :grants::jsonb, clock_timestamp(),
       coalesce(:counted_from::timestamptz, clock_timestamp()) + make_interval(secs => :budget_s)
WHERE obj_description('bluegreen'::regnamespace, 'pg_namespace') = :made_by
ON CONFLICT (switchover_id) DO NOTHING
RETURNING switchover_id

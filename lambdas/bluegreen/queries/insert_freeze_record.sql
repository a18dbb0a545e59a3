-- Decides for the freeze, unless this switchover was frozen or aborted before.
INSERT INTO bluegreen.freeze_record (switchover_id, roles, frozen_at, deadline_at)
VALUES (:switchover_id, :roles::text[], clock_timestamp(), clock_timestamp() + make_interval(secs => :budget_s))
ON CONFLICT (switchover_id) DO NOTHING

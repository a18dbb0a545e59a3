-- Decides for the freeze, unless this release was frozen or aborted before.
INSERT INTO bluegreen.freeze_record (release_id, roles, frozen_at, deadline_at)
VALUES (:release_id, :roles::text[], clock_timestamp(), clock_timestamp() + make_interval(secs => :budget_s))
ON CONFLICT (release_id) DO NOTHING

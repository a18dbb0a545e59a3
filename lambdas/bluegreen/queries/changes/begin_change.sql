-- Notes that a part of a script begins, and in which session of the server; forgets how it failed before.
INSERT INTO bluegreen.change AS c (key, number, sha256, script_sha256, version, pid, started_at)
VALUES (:key, :number, :sha256, :script_sha256, :version, pg_backend_pid(), clock_timestamp())
ON CONFLICT (key, number) DO UPDATE
SET sha256 = excluded.sha256, script_sha256 = excluded.script_sha256, version = excluded.version, pid = excluded.pid,
    attempts = c.attempts + 1, started_at = excluded.started_at, ended_at = NULL, failed_statement = NULL, failure = NULL,
    is_told = false, notices = '[]'
RETURNING attempts

-- A script is done, and is not run again.
INSERT INTO bluegreen.changed_script VALUES (:key, :sha256, clock_timestamp()) ON CONFLICT DO NOTHING

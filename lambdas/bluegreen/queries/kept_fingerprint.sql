-- What green held at a stage: when it was cloned, before the release's own changes, after them.
SELECT json_agg(json_build_array(kind, identity, part_of, definition))::text AS rows FROM bluegreen.fingerprint WHERE stage = :stage

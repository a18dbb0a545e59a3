-- What green was cloned with.
SELECT json_agg(json_build_array(kind, identity, part_of, definition))::text AS rows FROM bluegreen.fingerprint

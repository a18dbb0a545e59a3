-- Where some sequences stand, as one value; it says the same as sequence_states of them.
SELECT coalesce(json_agg(json_build_array(schema, name, last_value, is_called)), '[]') AS states
FROM bluegreen.sequence_states(ARRAY(
    SELECT format('%I.%I', s.schema, s.name)::regclass::oid FROM unnest(:schemas::text[], :names::text[]) AS s (schema, name)))

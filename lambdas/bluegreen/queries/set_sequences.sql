-- Puts all sequences where they are to stand, in one round trip.
SELECT count(setval(format('%I.%I', s.schema, s.name)::regclass, s.last_value, s.is_called)) AS sequences
FROM unnest(:schemas::text[], :names::text[], :last_values::bigint[], :are_called::boolean[])
    AS s (schema, name, last_value, is_called)

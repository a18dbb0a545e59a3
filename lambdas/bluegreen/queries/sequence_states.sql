-- Every sequence of this database and where it stands, as one value: thousands of rows take longer to take apart.
SELECT coalesce(json_agg(json_build_array(schema, name, last_value, is_called)), '[]') AS states
FROM bluegreen.sequence_states()

-- Every sequence of this database and where it stands.
SELECT schema, name, last_value, is_called FROM bluegreen.sequence_states()

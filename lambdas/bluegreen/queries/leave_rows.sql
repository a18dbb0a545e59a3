-- Rows of which nothing is known yet.
INSERT INTO bluegreen.unsettled_row (schema, name, key)
SELECT :schema, :name, key FROM jsonb_array_elements(:keys::jsonb) AS given (key)
ON CONFLICT DO NOTHING

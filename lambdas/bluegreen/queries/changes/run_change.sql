-- One part of a script, as one statement for the server.
SELECT bluegreen.run_change(:key, :number, :roles::jsonb, :statements::jsonb, :subscription)

-- Seconds since a time, by the server's clock.
SELECT extract(epoch FROM clock_timestamp() - :instant::timestamptz)::float8 AS seconds

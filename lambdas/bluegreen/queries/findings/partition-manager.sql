-- Extensions that make and drop partitions by themselves.
SELECT extname AS name FROM pg_extension WHERE extname IN ('pg_partman', 'timescaledb')

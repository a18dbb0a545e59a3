-- The size of the server's cache, in blocks.
SELECT pg_size_bytes(current_setting('shared_buffers')) / current_setting('block_size')::bigint AS blocks,
       current_setting('block_size')::int AS block_bytes

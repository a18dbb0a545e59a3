-- A commit of nothing: all that was committed before is on disk then, where decoding sees it, and before this position.
SELECT pg_logical_emit_message(true, 'bluegreen', '')::text AS lsn

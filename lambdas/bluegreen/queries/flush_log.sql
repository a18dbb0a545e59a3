-- A commit of nothing, after which all that was committed before is on disk, where decoding sees it.
SELECT pg_logical_emit_message(true, 'bluegreen', '')::text AS lsn

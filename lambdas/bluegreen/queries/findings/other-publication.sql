SELECT pubname AS name FROM pg_publication WHERE pubname <> :release

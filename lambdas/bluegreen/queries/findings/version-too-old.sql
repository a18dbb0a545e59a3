SELECT current_setting('server_version') AS version WHERE current_setting('server_version_num')::int < 150000

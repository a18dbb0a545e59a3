SELECT current_setting('rds.force_ssl', true) AS value WHERE current_setting('rds.force_ssl', true) IN ('0', 'off')

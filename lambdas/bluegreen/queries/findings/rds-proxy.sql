SELECT usename AS name, count(*) AS count
FROM pg_stat_activity WHERE usename = 'rdsproxyadmin' GROUP BY usename

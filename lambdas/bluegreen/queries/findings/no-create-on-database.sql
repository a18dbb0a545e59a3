SELECT current_database() AS name, current_user AS me
WHERE NOT has_database_privilege(current_database(), 'CREATE')

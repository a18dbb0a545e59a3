SELECT name, installed_version AS installed, default_version AS available
FROM pg_available_extensions WHERE installed_version <> default_version

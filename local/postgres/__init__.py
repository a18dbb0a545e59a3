"""Real PostgreSQL servers with the roles and functions that Aurora has."""

"""The application whose database is released: sample databases, writers, and the check of what they were told."""

"""Amazon RDS: blue read, green made after it, upgraded, given its secondaries, and taken away again."""
